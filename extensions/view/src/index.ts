/** Draws workbench data into a DOM element. */
export { mount } from './mount.js';
