/** Moving to another step: what is drawn, and what stays selected. */

import { placeAt } from './scheduling.js';
import type { State } from './state.js';

/** Draws the step if it is the one at the cursor and its picture is there. */
export function withModule(state: State, step: number): State {
  const module = state.modules[step];
  if (step !== state.cursor || module === undefined) {
    return state;
  }
  const graph = module.functions.some((one) => one.name === state.graph)
    ? state.graph
    : (module.functions[0]?.name ?? state.graph);
  return { ...followPlace(follow(state, step), step), drawn: step, graph };
}

/** The selection stays on the same value, which another step may know under another key. */
function follow(state: State, step: number): State {
  const key = state.selection;
  const nodes = state.modules[step]?.functions.flatMap((one) => one.nodes) ?? [];
  if (key === null || nodes.some((node) => node.key === key)) {
    return state;
  }
  const old = state.modules[state.drawn]?.functions.flatMap((one) => one.nodes) ?? [];
  const stable = old.find((node) => node.key === key)?.stable ?? key;
  const found = nodes.find((node) => node.stable === stable);
  return found === undefined ? state : { ...state, selection: found.key };
}

/** The selected loop stays on what it became, or came from. */
function followPlace(state: State, step: number): State {
  return state.place === null || step === state.drawn
    ? state
    : { ...state, place: placeAt(state, state.place, state.drawn, step), refusal: null };
}

export function recipeTitle(step: number): string {
  return `Recipe of step ${step}`;
}

export function scriptTitle(step: number): string {
  return `Script of step ${step}`;
}
