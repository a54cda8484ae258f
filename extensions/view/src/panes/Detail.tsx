/** The right pane: what is known of the selected node, what applies to it, and its line of Python. */

import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { DetailView, GroupView, ModuleView } from '../protocol/generated.js';
import {
  calledGraph,
  cardKey,
  cellText,
  detail,
  moduleOf,
  pythonLine,
  selectedGroup,
  selectedNode,
} from '../store/selectors.js';
import { placedRow } from '../store/scheduling.js';
import type { State, Tab } from '../store/state.js';
import { Actions } from './Actions.js';
import { Editor } from './Editor.js';
import { Loops } from './Loops.js';
import { Offers } from './Offers.js';
import type { HostProps, PaneProps } from './props.js';
import { Swap } from './Swap.js';
import { Script } from './Tokens.js';
import { changeSign, graphTitle, groupWord, kindsText, opsText } from './words.js';

const NODE_TABS: readonly (readonly [Tab, string])[] = [
  ['loops', 'Loops'],
  ['script', 'Script'],
  ['llvm', 'LLVM IR'],
  ['assembly', 'Assembly'],
  ['origin', 'Origin'],
];

const MODULE_TABS: readonly (readonly [Tab, string])[] = [
  ['loops', 'Functions'],
  ['script', 'Script'],
];

export function DetailPane(props: HostProps): JSX.Element {
  const { state, dispatch, uid } = props;
  const root = useKept();
  const node = selectedNode(state);
  const group = selectedGroup(state);
  const known = useShown(state);
  const tabs = node === null ? MODULE_TABS : NODE_TABS;
  const tab = tabs.some(([name]) => name === state.tab) ? state.tab : 'loops';
  return (
    <section ref={root} class="wb-detail" aria-label="Details">
      <Tabs tabs={tabs} tab={tab} {...props} />
      <div class="wb-detail-body">
        <div class="wb-panel" role="tabpanel" id={`${uid}-panel`} aria-label={tab} tabIndex={-1}>
          {node === null && group !== null && (
            <GroupFacts group={group} state={state} dispatch={dispatch} />
          )}
          {node === null && group === null && (
            <ModulePanel tab={tab} state={state} dispatch={dispatch} />
          )}
          {node !== null && known === null && (
            <p class="wb-fact">
              {state.connection === 'live' ? 'loading…' : 'not saved with the picture'}
            </p>
          )}
          {node !== null && known !== null && (
            <>
              <Heading detail={known} state={state} dispatch={dispatch} />
              <Panel tab={tab} detail={known} state={state} dispatch={dispatch} />
            </>
          )}
        </div>
        {node !== null && known !== null && (
          <Swap detail={known} state={state} dispatch={dispatch} />
        )}
        {scheduling(state) ? (
          <Offers state={state} dispatch={dispatch} />
        ) : (
          <Actions state={state} dispatch={dispatch} />
        )}
      </div>
      <PythonLine {...props} />
    </section>
  );
}

/** Keeps the keyboard in the pane where what had the focus goes: the selected row has it then. */
function useKept(): { current: HTMLElement | null } {
  const root = useRef<HTMLElement>(null);
  const inside = root.current?.contains(document.activeElement) === true;
  useLayoutEffect(() => {
    if (inside && document.activeElement === document.body) {
      const row = root.current?.querySelector<HTMLElement>('[role="row"][aria-selected="true"]');
      const heir = row ?? root.current?.querySelector<HTMLElement>('.wb-panel');
      heir?.focus({ preventScroll: true });
    }
  });
  return root;
}

/** The details to show; those of the step before while the same node's are awaited. */
function useShown(state: State): DetailView | null {
  const last = useRef<DetailView | null>(null);
  const known = detail(state);
  const awaited = known === null && state.connection === 'live';
  const same = last.current !== null && last.current.node === state.selection;
  last.current = awaited && same ? last.current : known;
  return last.current;
}

/** Whether a loop or block is selected; its row may be awaited. */
function scheduling(state: State): boolean {
  const awaited = detail(state) === null && state.connection === 'live';
  return placedRow(state) !== null || (state.place !== null && awaited);
}

interface TabsProps extends HostProps {
  readonly tabs: readonly (readonly [Tab, string])[];
  readonly tab: Tab;
}

function Tabs({ tabs, tab, state, dispatch, uid }: TabsProps): JSX.Element {
  const known = detail(state);
  const subject = known?.callee ?? selectedGroup(state)?.label ?? graphTitle(state.graph);
  return (
    <div class="wb-tabs">
      <div
        role="tablist"
        aria-label="Details"
        onKeyDown={(event) => {
          const position = tabs.findIndex(([name]) => name === tab);
          const offset = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
          const next = tabs[(position + offset + tabs.length) % tabs.length];
          if (offset !== 0 && next !== undefined) {
            dispatch({ type: 'tab', tab: next[0] });
            event.currentTarget.querySelector<HTMLElement>(`[data-tab="${next[0]}"]`)?.focus();
          }
        }}
      >
        {tabs.map(([name, label]) => (
          <button
            key={name}
            type="button"
            role="tab"
            class="wb-tab"
            data-tab={name}
            aria-selected={name === tab}
            aria-controls={`${uid}-panel`}
            tabIndex={name === tab ? 0 : -1}
            onClick={() => {
              dispatch({ type: 'tab', tab: name });
            }}
          >
            {label}
          </button>
        ))}
      </div>
      <code class="wb-subject">{subject}</code>
    </div>
  );
}

interface HeadingProps extends PaneProps {
  readonly detail: DetailView;
}

/** Name, type and arguments of the node. */
function Heading({ detail: view, state, dispatch }: HeadingProps): JSX.Element {
  const called = calledGraph(state, view.node);
  return (
    <div class="wb-heading">
      <p>
        <strong>{view.title}</strong> <code>{view.type}</code>{' '}
        {called !== null && (
          <button
            type="button"
            class="wb-link"
            onClick={() => {
              dispatch({ type: 'graph', name: called });
            }}
          >
            Open {graphTitle(called)}
          </button>
        )}
      </p>
      {view.arguments.length > 0 && (
        <p class="wb-fact">
          of{' '}
          {view.arguments.map((argument, index) => (
            <code key={index}>{argument}</code>
          ))}
        </p>
      )}
      {view.facts.length > 0 && <p class="wb-fact">{view.facts.join(' · ')}</p>}
    </div>
  );
}

interface PanelProps extends PaneProps {
  readonly tab: Tab;
  readonly detail: DetailView;
}

function Panel({ tab, detail: view, state, dispatch }: PanelProps): JSX.Element {
  switch (tab) {
    case 'loops':
      return <Loops detail={view} state={state} dispatch={dispatch} />;
    case 'script':
      return <Editor detail={view} state={state} dispatch={dispatch} />;
    case 'llvm':
      return (
        <Plain text={view.llvm} label="LLVM IR" none="no native code: this call is not compiled" />
      );
    case 'assembly':
      return (
        <Plain
          text={view.assembly}
          label="Assembly"
          none="no native code: this call is not compiled"
        />
      );
    case 'origin':
      return <Origin detail={view} />;
  }
}

function Plain(props: {
  readonly text: string;
  readonly label: string;
  readonly none: string;
}): JSX.Element {
  return props.text === '' ? (
    <p class="wb-fact">{props.none}</p>
  ) : (
    <pre class="wb-script" role="region" aria-label={props.label} tabIndex={0}>
      {props.text}
    </pre>
  );
}

function Origin({ detail: view }: { readonly detail: DetailView }): JSX.Element {
  return (
    <ol class="wb-origin" aria-label="Origin">
      {view.origin.length === 0 && <li class="wb-fact">made here</li>}
      {view.origin.map((origin, index) => (
        <li key={index}>
          <span>{origin.source}</span> <span class="wb-fact">{origin.detail}</span>
          {origin.step !== null && <span class="wb-fact"> · step {origin.step}</span>}
        </li>
      ))}
    </ol>
  );
}

interface ModulePanelProps extends PaneProps {
  readonly tab: Tab;
}

/** Nothing selected: the functions of the module, or its script. */
function ModulePanel({ tab, state, dispatch }: ModulePanelProps): JSX.Element | null {
  const module = moduleOf(state, state.drawn);
  if (tab === 'script') {
    const script = state.scripts[state.drawn];
    return script === undefined ? (
      <p class="wb-fact">
        {state.connection === 'live' ? 'loading…' : 'not saved with the picture'}
      </p>
    ) : (
      <Script
        tokens={
          script.tokens.length > 0
            ? script.tokens
            : [{ text: script.text, style: 'plain', node: null }]
        }
        label="Script of the module"
        hovered={state.hovered}
        dispatch={dispatch}
      />
    );
  }
  return module === null ? null : <Cards module={module} dispatch={dispatch} />;
}

interface CardsProps {
  readonly module: ModuleView;
  readonly dispatch: PaneProps['dispatch'];
}

function Cards({ module, dispatch }: CardsProps): JSX.Element {
  return (
    <ul class="wb-cards" aria-label="Functions of the module">
      {module.cards.map((card) => (
        <li key={card.name} class={`wb-card wb-kind-${card.kind === 'graph' ? 'op' : card.kind}`}>
          {card.kind === 'tensor' ? (
            <button
              type="button"
              class="wb-link wb-card-name"
              aria-label={`Open ${card.name}`}
              onClick={() => {
                dispatch({ type: 'select', key: cardKey(card) });
              }}
            >
              <code>{card.name}</code>
            </button>
          ) : (
            <code class="wb-card-name">{card.name}</code>
          )}
          <code class="wb-type" title={card.signature}>
            {card.signature}
          </code>
          <span class="wb-fact">{card.uses === 0 ? card.kind : `${card.kind} ×${card.uses}`}</span>
          <span class="wb-sign">{changeSign(card.change)}</span>
        </li>
      ))}
    </ul>
  );
}

interface GroupFactsProps extends PaneProps {
  readonly group: GroupView;
}

function GroupFacts({ group, state, dispatch }: GroupFactsProps): JSX.Element {
  const folded = state.folds[group.key] ?? group.collapsed;
  return (
    <div class="wb-heading">
      <p>
        <strong>{group.label}</strong> <code>{group.type}</code>
      </p>
      <p class="wb-fact">
        {groupWord(group.kind)} · {opsText(group.ops)}:{' '}
        {kindsText(group)}{' '}
        <button
          type="button"
          class="wb-link"
          onClick={() => {
            dispatch({ type: 'fold', group: group.key, collapsed: !folded });
          }}
        >
          {folded ? 'Unfold' : 'Fold'}
        </button>
      </p>
    </div>
  );
}

/** The line of Python for what is shown, always there. */
function PythonLine({ state, host }: HostProps): JSX.Element {
  const python = pythonLine(state);
  const insert = host.insertCell;
  const [before, after] = python === null ? ['', ''] : [python.base, python.code];
  return (
    <div class="wb-python" role="group" aria-label="Python">
      <code class="wb-python-code" title={after}>
        {after}
      </code>
      {before !== null && before !== '' && <span class="wb-fact">on step {before}</span>}
      {python !== null && insert !== undefined && (
        <button
          type="button"
          class="wb-link"
          disabled={state.connection !== 'live'}
          onClick={() => {
            insert(cellText(state, python));
          }}
        >
          To next cell
        </button>
      )}
    </div>
  );
}
