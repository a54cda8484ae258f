"""The session as an ipywidget: traits to observe and to link with other widgets."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

from workbench.session import Changed, Event, Selected, Session

SCRIPT = """
function render({ model, el }) {
  const slider = document.createElement("input");
  slider.type = "range";
  slider.min = "0";
  slider.setAttribute("aria-label", "Step");
  const text = document.createElement("span");
  text.style.marginLeft = "8px";
  const draw = () => {
    slider.max = String(model.get("last"));
    slider.value = String(model.get("step"));
    const chosen = model.get("selection");
    text.textContent = model.get("label") + (chosen === "" ? "" : " · " + chosen);
  };
  slider.addEventListener("change", () => {
    model.set("step", Number(slider.value));
    model.save_changes();
  });
  for (const name of ["step", "last", "label", "selection"]) {
    model.on("change:" + name, draw);
  }
  draw();
  el.append(slider, text);
}
export default { render };
"""


class SessionWidget(anywidget.AnyWidget):
    """A slider over the steps.

    `step` is the number of the head: setting it checks that step out, and it follows `apply` and
    clicks. `selection` is the key of the value selected last in any view, `main/12`, empty for
    none; setting it selects in all views. `last` is the greatest step, `label` the head's row.
    """

    _esm = SCRIPT
    step = traitlets.Int(0).tag(sync=True)
    last = traitlets.Int(0).tag(sync=True)
    label = traitlets.Unicode("").tag(sync=True)
    selection = traitlets.Unicode("").tag(sync=True)

    def __init__(self, session: Session, **traits: Any) -> None:  # noqa: ANN401
        self._session = session
        super().__init__(**traits)
        self._refresh()
        self.selection = session.selection
        self._stop = session.subscribe(self._on_event)
        self.observe(self._on_step, "step")
        self.observe(self._on_selection, "selection")

    def close(self) -> None:
        """Stop following the session."""
        self._stop()
        super().close()

    @traitlets.validate("step")
    def _valid_step(self, proposal: dict[str, Any]) -> int:
        last = len(self._session.steps) - 1
        return max(0, min(last, int(proposal["value"])))

    def _on_step(self, change: dict[str, Any]) -> None:
        if change["new"] != self._session.head.index:
            self._session.checkout(change["new"])

    def _on_selection(self, change: dict[str, Any]) -> None:
        self._session.select(change["new"])

    def _on_event(self, event: Event) -> None:
        match event:
            case Changed():
                self._refresh()
            case Selected(key=key):
                self.selection = key
            case _:
                return

    def _refresh(self) -> None:
        head = self._session.head
        self.last = len(self._session.steps) - 1
        self.step = head.index
        self.label = repr(head)
