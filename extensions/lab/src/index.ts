/** JupyterLab extension: compiler sessions as live outputs of notebooks. */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { DisposableDelegate, type IDisposable } from '@lumino/disposable';
import type { Widget } from '@lumino/widgets';
import { insertCellBelow } from './cells.js';
import { isNotebookPanel } from './notebook.js';
import { MIME_TYPE, rendererFactory } from './renderer.js';

/** Before the widget renderer (rank 0), which would win over our output in the same bundle. */
const RANK = -20;

/** Gives every notebook a renderer bound to its own kernel. */
class NotebookRenderers implements DocumentRegistry.IWidgetExtension<
  Widget,
  DocumentRegistry.IModel
> {
  constructor(private readonly app: JupyterFrontEnd) {}

  createNew(
    panel: Widget,
    context: DocumentRegistry.IContext<DocumentRegistry.IModel>,
  ): IDisposable | undefined {
    if (!isNotebookPanel(panel)) {
      return undefined;
    }
    const { rendermime } = panel.content;
    const place = {
      sessionContext: context.sessionContext,
      insertCell: (node: HTMLElement, code: string): void => {
        void insertCellBelow(this.app, panel, node, code);
      },
    };
    rendermime.addFactory(rendererFactory(place), RANK);
    return new DisposableDelegate(() => {
      rendermime.removeMimeType(MIME_TYPE);
    });
  }
}

const plugin: JupyterFrontEndPlugin<void> = {
  id: '@workbench/lab:plugin',
  description: 'Draws compiler sessions in notebook outputs.',
  autoStart: true,
  requires: [IRenderMimeRegistry],
  activate: (app: JupyterFrontEnd, rendermime: IRenderMimeRegistry) => {
    // Outside notebooks (a console, a preview) there is only the saved picture.
    rendermime.addFactory(rendererFactory(null), RANK);
    app.docRegistry.addWidgetExtension('Notebook', new NotebookRenderers(app));
  },
};

export default plugin;
