import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { IRenderMimeRegistry as RenderMimeToken } from '@jupyterlab/rendermime';
import type { IDisposable } from '@lumino/disposable';
import { DisposableDelegate } from '@lumino/disposable';
import type { Widget } from '@lumino/widgets';

import { MIME_TYPE, rendererFactory } from './renderer.js';

/** Before the widget renderer (rank 0), which would win over our output in the same bundle. */
const RANK = -20;

/** The part of a notebook panel that this extension uses. */
interface NotebookWidget extends Widget {
  readonly content: { readonly rendermime: IRenderMimeRegistry };
}

class NotebookRenderers implements DocumentRegistry.IWidgetExtension<
  Widget,
  DocumentRegistry.IModel
> {
  createNew(panel: Widget): IDisposable {
    const { rendermime } = (panel as NotebookWidget).content;
    rendermime.addFactory(rendererFactory(), RANK);
    return new DisposableDelegate(() => {
      rendermime.removeMimeType(MIME_TYPE);
    });
  }
}

const plugin: JupyterFrontEndPlugin<void> = {
  id: '@workbench/lab:plugin',
  description: 'Draws compiler sessions in notebook outputs.',
  autoStart: true,
  requires: [RenderMimeToken],
  activate: (app: JupyterFrontEnd, rendermime: IRenderMimeRegistry) => {
    rendermime.addFactory(rendererFactory(), RANK);
    app.docRegistry.addWidgetExtension('Notebook', new NotebookRenderers());
  }
};

export default plugin;
