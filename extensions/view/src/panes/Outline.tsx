/** The accessible twin of the picture: the same boxes as a tree, in program order. */

import type { JSX } from 'preact';
import type { FunctionView, GroupView, NodeView } from '../protocol/generated.js';
import { currentFunction, shownGroup } from '../store/selectors.js';
import type { State } from '../store/state.js';
import type { PaneProps } from './props.js';
import { changeSign, graphTitle, kindWord, kindsText, opsText } from './words.js';

type Row =
  | { readonly type: 'node'; readonly node: NodeView; readonly level: number }
  | {
      readonly type: 'group';
      readonly group: GroupView;
      readonly level: number;
      readonly open: boolean;
    };

export function Outline({ state, dispatch }: PaneProps): JSX.Element | null {
  const view = currentFunction(state);
  if (view === null) {
    return null;
  }
  const rows = outlineRows(view, state);
  const selected = rows.findIndex((row) => keyOf(row) === state.selection);
  const toggle = (row: Row, open: boolean): void => {
    if (row.type === 'group') {
      dispatch({ type: 'fold', group: row.group.key, collapsed: !open });
    }
  };
  const move = (offset: number): void => {
    const row = rows[Math.max(0, Math.min(rows.length - 1, selected + offset))];
    if (row !== undefined) {
      dispatch({ type: 'select', key: keyOf(row) });
    }
  };
  return (
    <ul
      class="wb-outline"
      role="tree"
      aria-label={`Outline of ${graphTitle(view.name)}`}
      tabIndex={0}
      onKeyDown={(event) => {
        const row = rows[selected];
        if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
          event.preventDefault();
          move(event.key === 'ArrowDown' ? 1 : -1);
        } else if (row !== undefined && (event.key === 'ArrowLeft' || event.key === 'ArrowRight')) {
          toggle(row, event.key === 'ArrowRight');
        } else if (event.key === 'Escape') {
          dispatch({ type: 'select', key: null });
        }
      }}
    >
      {rows.map((row) => (
        <li
          key={keyOf(row)}
          role="treeitem"
          aria-level={row.level}
          aria-selected={keyOf(row) === state.selection}
          aria-expanded={row.type === 'group' ? row.open : undefined}
          style={{ paddingLeft: `${12 + 16 * (row.level - 1)}px` }}
          onClick={() => {
            dispatch({ type: 'select', key: keyOf(row) });
          }}
          onDblClick={() => {
            toggle(row, row.type === 'group' && !row.open);
          }}
        >
          {row.type === 'node' ? (
            <NodeRow node={row.node} />
          ) : (
            <GroupRow group={row.group} open={row.open} />
          )}
        </li>
      ))}
    </ul>
  );
}

function NodeRow({ node }: { readonly node: NodeView }): JSX.Element {
  return (
    <>
      <span class={`wb-key wb-kind-${node.kind}`}>{node.label}</span>
      <code>{node.type}</code>
      <span class="wb-fact">{kindWord(node.kind)}</span>
      <span class="wb-sign">{changeSign(node.change)}</span>
    </>
  );
}

function GroupRow({
  group,
  open,
}: {
  readonly group: GroupView;
  readonly open: boolean;
}): JSX.Element {
  return (
    <>
      <span>
        {open ? '▾' : '▸'} {group.label}
      </span>
      <code>{group.type}</code>
      <span class="wb-fact">
        {opsText(group.ops)}: {kindsText(group)}
      </span>
      <span class="wb-sign">{changeSign(group.change)}</span>
    </>
  );
}

function keyOf(row: Row): string {
  return row.type === 'node' ? row.node.key : row.group.key;
}

/** Nodes and groups in program order; what a fold hides is left out. */
export function outlineRows(view: FunctionView, state: State): Row[] {
  const groups = new Map(view.groups.map((group) => [group.key, group]));
  const told = new Set<string>();
  const rows: Row[] = [];
  for (const node of view.nodes) {
    const chain: GroupView[] = [];
    let key = node.group;
    while (key !== null && chain.length < 64) {
      const group = groups.get(key);
      if (group === undefined) {
        break;
      }
      chain.unshift(group);
      key = group.parent;
    }
    const fold = chain.findIndex((group) => shownGroup(state, group));
    const shown = fold < 0 ? chain : chain.slice(0, fold + 1);
    shown.forEach((group, depth) => {
      if (!told.has(group.key)) {
        told.add(group.key);
        rows.push({ type: 'group', group, level: depth + 1, open: depth !== fold });
      }
    });
    if (fold < 0 && !groups.has(node.key)) {
      rows.push({ type: 'node', node, level: chain.length + 1 });
    }
  }
  return rows;
}
