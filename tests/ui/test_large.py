"""A function large enough to be laid out in a worker."""

import re

from playwright.sync_api import Worker, expect

from tests.ui.lab import Lab
from tests.ui.test_looks import NEIGHBOUR
from tests.ui.view import View

PROGRAM = '''
import workbench as wb

LINES = "\\n".join(f"            h{i + 1} = R.nn.relu(h{i})" for i in range(400))
s = wb.open(wb.parse(f"""
@I.ir_module
class Module:
    @R.function
    def main(h0: R.Tensor((8, 4), "float32")):
        with R.dataflow():
{LINES}
            y = R.add(h400, h0)
            R.output(y)
        return y
"""))
s
'''
LEAST = """async root => {
  const count = () => root.querySelectorAll('.wb-picture [data-key], .wb-far').length;
  const button = [...root.querySelectorAll('button')].find(one => one.textContent === 'Unfold all');
  let least = count();
  button.click();
  for (let frame = 0; frame < 60; frame += 1) {
    await new Promise(requestAnimationFrame);
    least = Math.min(least, count());
  }
  return least;
}"""


def test_a_large_function_is_laid_out_in_a_worker_without_a_flicker(lab: Lab) -> None:
    workers: list[str] = []

    def note(worker: Worker) -> None:
        workers.append(worker.url)

    lab.page.on("worker", note)
    lab.open(lab.write("large.ipynb", NEIGHBOUR, PROGRAM))
    lab.run(1)
    view = View(lab, PROGRAM)
    view.wait()
    assert any("@workbench" in url for url in workers)
    assert view.boxes().count() <= 15
    view.graph.get_by_role("button", name=re.compile("^Unfold part 2, ")).click()
    expect(view.boxes("part 2.1")).to_have_count(1)
    assert view.root.evaluate(LEAST) > 0
    expect(view.boxes("part ")).to_have_count(0)
    expect(view.boxes("relu, ").first).to_be_visible()
