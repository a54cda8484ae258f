/** What every pane gets. */

import type { Dispatch } from '../store/store.js';
import type { State } from '../store/state.js';

/** What the surroundings can do for a view. */
export interface Host {
  /** Puts code into a new cell below and makes it the active one; absent where there are no cells. */
  readonly insertCell?: (code: string) => void;
}

export interface PaneProps {
  readonly state: State;
  readonly dispatch: Dispatch;
}

export interface HostProps extends PaneProps {
  readonly host: Host;
  /** Prefix that makes ids of this view unique in the page. */
  readonly uid: string;
}
