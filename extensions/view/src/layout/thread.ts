/** Runs in a worker, and only there. */

import { answering, type Question } from './worker.js';

const answer = answering();

self.addEventListener('message', (event: MessageEvent<Question>) => {
  const reply = answer(event.data);
  if (reply === null) {
    throw new Error('the function to lay out was never sent');
  }
  self.postMessage(reply);
});
