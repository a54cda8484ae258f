/** Everything that can happen to a view. */

import type { Message } from '../protocol/generated.js';
import type { Arguments } from './scheduling.js';
import type { Line, Tab } from './state.js';

/** Parameters of a pass that are numbers, by name. */
export type Numbers = Readonly<Record<string, number>>;

export type ViewEvent =
  | { readonly type: 'connected'; readonly key: string }
  | { readonly type: 'disconnected'; readonly message: string }
  | { readonly type: 'received'; readonly message: Message }
  | { readonly type: 'sent' }
  | { readonly type: 'kernel-busy'; readonly busy: boolean }
  | { readonly type: 'go'; readonly step: number }
  | { readonly type: 'step-by'; readonly offset: number }
  | { readonly type: 'checkout'; readonly step: number }
  | { readonly type: 'graph'; readonly name: string }
  | { readonly type: 'select'; readonly key: string | null }
  | { readonly type: 'hover'; readonly key: string | null }
  | { readonly type: 'fold'; readonly group: string; readonly collapsed: boolean }
  | { readonly type: 'fold-all'; readonly collapsed: boolean }
  | { readonly type: 'search'; readonly text: string }
  | { readonly type: 'next-hit'; readonly offset: number }
  | { readonly type: 'tab'; readonly tab: Tab }
  | { readonly type: 'outline'; readonly open: boolean }
  | { readonly type: 'propose'; readonly line: Line | null }
  | {
      readonly type: 'apply';
      readonly name: string;
      readonly node: string | null;
      readonly numbers: Numbers | null;
    }
  | { readonly type: 'numbers'; readonly numbers: Numbers }
  | { readonly type: 'place'; readonly key: string | null; readonly spot?: string }
  | { readonly type: 'try'; readonly name: string; readonly arguments: Arguments }
  | { readonly type: 'attempt'; readonly name: string; readonly arguments: Arguments }
  | { readonly type: 'swap'; readonly node: string; readonly implementation: string }
  | { readonly type: 'measure'; readonly node: string }
  | { readonly type: 'compare' }
  | { readonly type: 'cancel' }
  | { readonly type: 'edit'; readonly node: string | null }
  | { readonly type: 'edited'; readonly node: string; readonly text: string }
  | { readonly type: 'choose'; readonly step: number }
  | { readonly type: 'diff' }
  | { readonly type: 'memory'; readonly open: boolean }
  | { readonly type: 'close-diff' }
  | { readonly type: 'close-comparison' }
  | { readonly type: 'script' }
  | { readonly type: 'recipe' }
  | { readonly type: 'close-sheet' }
  | { readonly type: 'close-failures' };
