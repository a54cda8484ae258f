"""A real kernel: displays, errors without a stack, the comm while a cell runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

from tests.session.programs import SMALL

MIME = "application/vnd.workbench.v1+json"


class Kernel:
    """Runs cells and speaks over a comm."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self.client = client
        self.comm: list[tuple[float, dict[str, Any]]] = []

    def run(self, code: str, cell: str = "") -> list[dict[str, Any]]:
        """The messages of a cell, which front ends name."""
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        metadata = {"cellId": cell} if cell else {}
        request = self.client.session.msg("execute_request", content, metadata=metadata)
        self.client.shell_channel.send(request)
        asked = request["header"]["msg_id"]
        found: list[dict[str, Any]] = []
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            if self._keep(message):
                continue
            if message["parent_header"].get("msg_id") != asked:
                continue
            content = message["content"]
            if message["msg_type"] == "status" and content["execution_state"] == "idle":
                return found
            found.append({"type": message["msg_type"], **content})

    def result(self, code: str, cell: str = "") -> dict[str, Any]:
        """The MIME bundle of a cell's value."""
        messages = self.run(code, cell)
        errors = [m for m in messages if m["type"] == "error"]
        assert not errors, errors
        return next(m["data"] for m in messages if m["type"] == "execute_result")

    def send(self, kind: str, comm: str = "view", **content: object) -> None:
        message = self.client.session.msg(kind, {"comm_id": comm, **content})
        self.client.shell_channel.send(message)

    def wait(self, kind: str, timeout: float = 60) -> dict[str, Any]:
        """The next message over the comm of that type."""
        deadline = time.monotonic() + timeout
        while True:
            for index, (_, data) in enumerate(self.comm):
                if data["type"] == kind:
                    del self.comm[: index + 1]
                    return data
            assert time.monotonic() < deadline, f"no {kind}"
            self._keep(self.client.get_iopub_msg(timeout=timeout))

    def _keep(self, message: dict[str, Any]) -> bool:
        if message["msg_type"] != "comm_msg":
            return False
        self.comm.append((time.monotonic(), message["content"]["data"]))
        return True


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    manager, client = start_new_kernel(kernel_name="python3")
    kernel = Kernel(client)
    kernel.run(f"import workbench as wb\nSMALL = {SMALL!r}\nmine = wb.open(wb.parse(SMALL))")
    yield kernel
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_a_session_displays_with_its_variable(kernel: Kernel) -> None:
    bundle = kernel.result("mine")
    assert set(bundle) >= {MIME, "image/svg+xml", "text/html", "text/plain"}
    assert bundle[MIME]["data"]["session"]["variable"] == "mine"


def test_an_error_prints_its_diagnostics_and_no_stack(kernel: Kernel) -> None:
    messages = kernel.run('wb.parse("""x = 1""")')
    error = next(m for m in messages if m["type"] == "error")
    text = "\n".join(error["traceback"])
    assert "Traceback" not in text
    assert ".py" not in text
    assert "error[" in text
    assert len(error["traceback"]) <= 12


def test_a_view_connects_applies_and_hears_the_verdict(kernel: Kernel) -> None:
    key = kernel.result("mine")[MIME]["key"]
    kernel.send(
        "comm_open",
        target_name="workbench",
        data={"type": "open", "id": 1, "step": 0, "key": key},
    )
    assert kernel.wait("hello")["session"]["name"] == "Module"
    kernel.send("comm_msg", data={"type": "apply", "id": 2, "step": 0, "name": "LegalizeOps"})
    applied = kernel.wait("applied")
    assert applied["code"] == "mine.apply(wb.passes.LegalizeOps())"
    while True:
        steps = kernel.wait("session")["session"]["steps"]
        if steps[1]["verdict"]["text"].startswith("✓"):
            break
    row = kernel.result("mine.checkout(0); mine.apply(wb.passes.LegalizeOps())")
    assert row["text/plain"].startswith("1 LegalizeOps ~3")
    assert kernel.result("len(mine.steps)")["text/plain"] == "2"


def test_a_cell_that_registers_a_pass_tells_the_views(kernel: Kernel) -> None:
    key = kernel.result("mine")[MIME]["key"]
    data = {"type": "open", "id": 1, "step": 0, "key": key}
    kernel.send("comm_open", comm="later", target_name="workbench", data=data)
    before = kernel.wait("hello")["session"]["catalogue"]
    kernel.run(
        "@wb.register_pass\nclass Mine(wb.rewrite.Pass):\n"
        "    name = 'mine'\n    def run(self, module): return wb.rewrite.PassResult(module)"
    )
    while kernel.wait("session")["session"]["catalogue"] == before:
        pass
    kernel.send("comm_msg", comm="later", data={"type": "actions", "id": 2, "step": 0})
    while "Mine" not in {action["name"] for action in kernel.wait("actions")["actions"]}:
        pass


def test_out_of_bounds_is_one_diagnostic_and_the_kernel_lives(kernel: Kernel) -> None:
    code = '''
BAD = """
@I.ir_module
class Module:
    @T.prim_func
    def f(x: T.Buffer((4,), "float32"), y: T.Buffer((4,), "float32")):
        for i in range(4):
            with T.sblock("y"):
                vi = T.axis.spatial(4, i)
                y[vi] = x[vi + 1]
"""
import numpy as np
wb.build(wb.parse(BAD))(np.zeros(4, "float32"), np.zeros(4, "float32"), function="f")
'''
    messages = kernel.run(code)
    error = next(m for m in messages if m["type"] == "error")
    assert error["ename"] == "CompileError"
    assert "Traceback" not in "\n".join(error["traceback"])
    assert kernel.result("1 + 1")["text/plain"] == "2"
