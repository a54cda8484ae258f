/** Program text as selectable tokens; hovering one lights the same value everywhere. */

import type { JSX } from 'preact';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import type { TokenView } from '../protocol/generated.js';
import type { Dispatch } from '../store/store.js';

interface Props {
  readonly tokens: readonly TokenView[];
  readonly label: string;
  readonly hovered: string | null;
  readonly dispatch: Dispatch;
}

/** A block of program text. */
export function Script({ tokens, label, hovered, dispatch }: Props): JSX.Element {
  const root = useRef<HTMLPreElement>(null);
  useLit(root, hovered, tokens);
  const body = useMemo(() => spans(tokens), [tokens]);
  return (
    <pre
      ref={root}
      class="wb-script"
      role="region"
      aria-label={label}
      tabIndex={0}
      onPointerOver={(event) => {
        dispatch({ type: 'hover', key: nodeAt(event.target) });
      }}
      onPointerLeave={() => {
        dispatch({ type: 'hover', key: null });
      }}
    >
      {body}
    </pre>
  );
}

export function spans(tokens: readonly TokenView[]): JSX.Element[] {
  return tokens.map((token, index) => (
    <span
      key={index}
      class={token.style === 'plain' ? undefined : `wb-tok-${token.style}`}
      data-node={token.node ?? undefined}
    >
      {token.text}
    </span>
  ));
}

/** The key of the value that an element inside a script names. */
export function nodeAt(target: EventTarget | null): string | null {
  const element = target instanceof Element ? target.closest('[data-node]') : null;
  return element?.getAttribute('data-node') ?? null;
}

/** Marks the tokens of the hovered value without drawing the text again. */
export function useLit(
  root: { readonly current: HTMLElement | null },
  hovered: string | null,
  content: unknown,
): void {
  useLayoutEffect(() => {
    for (const old of root.current?.querySelectorAll('.wb-lit') ?? []) {
      old.classList.remove('wb-lit');
    }
    if (hovered !== null) {
      for (const element of root.current?.querySelectorAll('[data-node]') ?? []) {
        element.classList.toggle('wb-lit', element.getAttribute('data-node') === hovered);
      }
    }
  }, [root, hovered, content]);
}
