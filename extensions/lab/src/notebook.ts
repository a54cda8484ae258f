/** The part of a notebook panel that this extension uses; `@jupyterlab/notebook` is not a dependency. */

import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { Widget } from '@lumino/widgets';

export interface Cell {
  readonly node: HTMLElement;
  readonly model: { readonly sharedModel: { setSource(text: string): void } };
}

export interface Notebook extends Widget {
  readonly rendermime: IRenderMimeRegistry;
  readonly widgets: readonly Cell[];
  activeCellIndex: number;
  readonly activeCell: Cell | null;
}

export interface NotebookPanel extends Widget {
  readonly content: Notebook;
}

export function isNotebookPanel(widget: Widget): widget is NotebookPanel {
  const content: unknown = 'content' in widget ? widget.content : null;
  return (
    typeof content === 'object' &&
    content !== null &&
    'rendermime' in content &&
    'activeCellIndex' in content
  );
}
