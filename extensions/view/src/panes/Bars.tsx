/** Bars from zero with median and spread. */

import type { JSX } from 'preact';
import type { BarView } from '../protocol/generated.js';
import { error, milliseconds } from './words.js';

/** The largest time of all bars, which is the whole width. */
export function longest(bars: readonly BarView[]): number {
  return bars.reduce(
    (most, bar) => (bar.failed === '' ? Math.max(most, bar.milliseconds, bar.high) : most),
    0,
  );
}

interface Props {
  readonly bar: BarView;
  readonly scale: number;
}

/** One bar with its numbers: median, quartiles as ticks, error. */
export function Bar({ bar, scale }: Props): JSX.Element {
  if (bar.failed !== '') {
    return (
      <span class="wb-bar-failed" title={bar.failed}>
        {bar.failed}
      </span>
    );
  }
  const share = (value: number): string => `${scale > 0 ? (100 * value) / scale : 0}%`;
  const spread = `${milliseconds(bar.low)} to ${milliseconds(bar.high)}`;
  const facts = bar.error === null ? '' : ` · ${error(bar.error)}`;
  return (
    <span
      class="wb-bar-row"
      role="img"
      aria-label={`${bar.name}: median ${milliseconds(bar.milliseconds)}, ${spread}, ${bar.runs} runs${bar.error === null ? '' : `, max error ${error(bar.error)}`}`}
      title={`median of ${bar.runs} runs, middle half ${spread}${bar.error === null ? '' : ` · max error ${error(bar.error)}`}${bar.note === '' ? '' : ` · ${bar.note}`}`}
    >
      <span class="wb-bar-track">
        <span class="wb-bar-fill" style={{ width: share(bar.milliseconds) }} />
        <span class="wb-bar-tick" style={{ left: share(bar.low) }} />
        <span class="wb-bar-tick" style={{ left: share(bar.high) }} />
      </span>
      <code class="wb-bar-text">
        <span class="wb-bar-time">{milliseconds(bar.milliseconds)}</span>
        {facts}
      </code>
    </span>
  );
}
