/** The view of compiler sessions: draws what a kernel sends, knows nothing about Jupyter. */

export { mount, readSaved, type Surroundings, type View } from './mount.js';
export type { AnyIntent, Bundle, Message, SavedView } from './protocol/generated.js';
export { layout, type Layout } from './layout/index.js';
