/** The MIME output that is alive: the saved picture until the kernel answers, then the session. */

import type { ISessionContext } from '@jupyterlab/apputils';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { JSONObject, JSONValue } from '@lumino/coreutils';
import { Widget } from '@lumino/widgets';
import { mount, readSaved, type SavedView, type View } from '@workbench/view';
import { Link } from './link.js';

/** The MIME type of a session's live output. */
export const MIME_TYPE = 'application/vnd.workbench.v1+json';

/** Milliseconds without a change before the notebook's own data is written. */
const SAVE_DELAY = 600;
/** Characters of JSON that are saved; beyond, the details are left out, then the picture. */
const SAVE_LIMIT = 300_000;

/** What a notebook offers its outputs. */
export interface Place {
  readonly sessionContext: ISessionContext;
  readonly insertCell: (node: HTMLElement, code: string) => void;
}

/** One output of a session. */
class SessionOutput extends Widget implements IRenderMime.IRenderer {
  private key: string | null = null;
  private view: View | null = null;
  private link: Link | null = null;
  private model: IRenderMime.IMimeModel | null = null;
  private timer: number | null = null;

  constructor(private readonly place: Place | null) {
    super();
    this.addClass('wb-output');
  }

  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this.model = model;
    const bundle = readBundle(model.data[MIME_TYPE]);
    if (bundle.key !== this.key || this.view === null) {
      this.stop();
      this.start(bundle.key, bundle.saved);
    }
    return Promise.resolve();
  }

  override dispose(): void {
    this.stop();
    super.dispose();
  }

  private start(key: string, saved: SavedView | null): void {
    this.key = key;
    const place = this.place;
    const view = mount(this.node, saved, {
      send: (intent) => {
        this.link?.send(intent);
      },
      save: (data) => {
        this.saveLater(key, data);
      },
      ...(place === null
        ? {}
        : {
            insertCell: (code: string): void => {
              place.insertCell(this.node, code);
            },
          }),
    });
    this.view = view;
    if (place !== null && key !== '') {
      this.link = new Link(place.sessionContext, {
        connected: () => {
          view.connect(key);
        },
        disconnected: view.disconnect,
        received: view.receive,
        busy: view.setBusy,
      });
      this.link.start();
    }
  }

  private stop(): void {
    if (this.timer !== null) {
      window.clearTimeout(this.timer);
      this.timer = null;
    }
    this.link?.dispose();
    this.link = null;
    this.view?.dispose();
    this.view = null;
  }

  /** Writes what is shown into the notebook's own output, so that it is there without a kernel. */
  private saveLater(key: string, view: SavedView): void {
    if (this.timer !== null) {
      window.clearTimeout(this.timer);
    }
    this.timer = window.setTimeout(() => {
      this.timer = null;
      const data = limited(view);
      const model = this.model;
      if (model === null || data === null || this.isDisposed) {
        return;
      }
      const bundle = JSON.parse(JSON.stringify({ key, data })) as JSONObject;
      const before = model.data[MIME_TYPE] as JSONValue | undefined;
      if (JSON.stringify(before) !== JSON.stringify(bundle)) {
        model.setData({ data: { ...model.data, [MIME_TYPE]: bundle } });
      }
    }, SAVE_DELAY);
  }
}

/** The view in a size that a notebook can hold; null where even the picture alone is too large. */
function limited(view: SavedView): SavedView | null {
  for (const candidate of [view, { ...view, detail: null }]) {
    if (JSON.stringify(candidate).length <= SAVE_LIMIT) {
      return candidate;
    }
  }
  return null;
}

function readBundle(data: unknown): { key: string; saved: SavedView | null } {
  const bundle = (data ?? {}) as { key?: unknown; data?: unknown };
  return { key: typeof bundle.key === 'string' ? bundle.key : '', saved: readSaved(bundle.data) };
}

/** Makes the renderer of session outputs; without a place it only draws what is saved. */
export function rendererFactory(place: Place | null): IRenderMime.IRendererFactory {
  return {
    safe: true,
    mimeTypes: [MIME_TYPE],
    createRenderer: () => new SessionOutput(place),
  };
}
