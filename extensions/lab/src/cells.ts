/** Code from a view into the notebook. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { NotebookPanel } from './notebook.js';

/** Inserts a cell with `code` below the one whose output holds `node`, and makes it active. */
export async function insertCellBelow(
  app: JupyterFrontEnd,
  panel: NotebookPanel,
  node: HTMLElement,
  code: string,
): Promise<void> {
  const notebook = panel.content;
  const index = notebook.widgets.findIndex((cell) => cell.node.contains(node));
  app.shell.activateById(panel.id);
  if (index >= 0) {
    notebook.activeCellIndex = index;
  }
  await app.commands.execute('notebook:insert-cell-below');
  notebook.activeCell?.model.sharedModel.setSource(code);
  await app.commands.execute('notebook:enter-edit-mode');
}
