/** The search box over the picture, and the legend under it. */

import type { JSX } from 'preact';
import type { FunctionView } from '../protocol/generated.js';
import { currentFunction, hits, shownGroup } from '../store/selectors.js';
import type { PaneProps } from './props.js';

export function Search({ state, dispatch }: PaneProps): JSX.Element {
  const found = hits(state);
  const position = found.length === 0 ? 0 : (state.hit % found.length) + 1;
  return (
    <div class="wb-search" role="search">
      <input
        type="search"
        aria-label="Search nodes"
        placeholder="Search"
        value={state.search}
        onInput={(event) => {
          dispatch({ type: 'search', text: event.currentTarget.value });
        }}
        onKeyDown={(event) => {
          if (event.key === 'Enter') {
            dispatch({ type: 'next-hit', offset: event.shiftKey ? -1 : 1 });
          } else if (event.key === 'Escape' && state.search !== '') {
            event.preventDefault();
            dispatch({ type: 'search', text: '' });
          }
        }}
      />
      {state.search !== '' && (
        <output class="wb-search-count" aria-label="Hits">
          {found.length === 0 ? 'none' : `${position} of ${found.length}`}
        </output>
      )}
    </div>
  );
}

export function Legend({ state, dispatch }: PaneProps): JSX.Element {
  return (
    <div class="wb-legend" aria-label="Legend" role="note">
      <span class="wb-key wb-kind-op">graph op</span>
      <span class="wb-key wb-kind-tensor">tensor function</span>
      <span class="wb-key wb-kind-library">library</span>
      <Flow view={currentFunction(state)} />
      <Changes view={currentFunction(state)} />
      <span class="wb-legend-buttons">
        <FoldAll state={state} dispatch={dispatch} />
        <button
          type="button"
          class="wb-link"
          aria-pressed={state.outline}
          onClick={() => {
            dispatch({ type: 'outline', open: !state.outline });
          }}
        >
          {state.outline ? 'Picture' : 'Outline'}
        </button>
      </span>
    </div>
  );
}

/** What is not in every picture: branches, and the order of effects. */
function Flow({ view }: { readonly view: FunctionView | null }): JSX.Element {
  const nodes = view?.nodes ?? [];
  return (
    <>
      {nodes.some((node) => node.kind === 'branch') && (
        <span class="wb-key wb-kind-branch">branch</span>
      )}
      {nodes.some((node) => node.after.length > 0) && (
        <span class="wb-key-order">order of effects</span>
      )}
    </>
  );
}

/** The signs that occur in this picture, and what is not there any more. */
function Changes({ view }: { readonly view: FunctionView | null }): JSX.Element | null {
  if (view === null) {
    return null;
  }
  const changes = new Set([...view.nodes, ...view.groups].map((one) => one.change));
  const { gone } = view;
  return (
    <>
      {changes.has('rewritten') && <span>~ rewritten</span>}
      {changes.has('new') && <span>+ new</span>}
      {changes.has('fused') && <span>⊂ fused</span>}
      {gone.length > 0 && (
        <span title={gone.join(', ')}>
          - gone: {gone.slice(0, 3).join(', ')}
          {gone.length > 3 && ` and ${gone.length - 3} more`}
        </span>
      )}
    </>
  );
}

function FoldAll({ state, dispatch }: PaneProps): JSX.Element | null {
  const groups = currentFunction(state)?.groups ?? [];
  if (groups.length === 0) {
    return null;
  }
  const folded = groups.some((group) => shownGroup(state, group));
  return (
    <button
      type="button"
      class="wb-link"
      onClick={() => {
        dispatch({ type: 'fold-all', collapsed: !folded });
      }}
    >
      {folded ? 'Unfold all' : 'Fold all'}
    </button>
  );
}
