import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Widget } from '@lumino/widgets';
import { mount } from '@workbench/view';

/** The MIME type of a session's live output. */
export const MIME_TYPE = 'application/vnd.workbench.v1+json';

/** One output of a session. */
class SessionOutput extends Widget implements IRenderMime.IRenderer {
  private unmount: () => void = () => undefined;

  constructor() {
    super();
    this.addClass('wb-output');
  }

  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this.unmount();
    this.unmount = mount(this.node, model.data[MIME_TYPE]);
    return Promise.resolve();
  }

  override dispose(): void {
    this.unmount();
    super.dispose();
  }
}

/** Makes the renderer of session outputs. */
export function rendererFactory(): IRenderMime.IRendererFactory {
  return {
    safe: true,
    mimeTypes: [MIME_TYPE],
    createRenderer: () => new SessionOutput()
  };
}
