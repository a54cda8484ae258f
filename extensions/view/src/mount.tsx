import { render } from 'preact';

/** Draws `data` into `host`; the returned function removes the drawing. */
export function mount(host: HTMLElement, data: unknown): () => void {
  render(
    <section class="wb-root" role="group" aria-label="workbench">
      <h3>workbench</h3>
      <pre>{JSON.stringify(data, null, 2)}</pre>
    </section>,
    host
  );
  return () => {
    render(null, host);
  };
}
