"""Sessions end: a real kernel counts what is left of those that nobody can reach."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from itertools import count

import pytest
from jupyter_client.manager import start_new_kernel

import workbench as wb
from tests.notebook.test_hub import FakeComm, connect, display
from tests.notebook.test_kernel import MIME, Kernel
from tests.session.programs import small
from workbench.notebook import kept
from workbench.notebook.hub import hub_of
from workbench.session import Session

RUNS = 20
WEIGHTS_MB = 8
MODEL = f"""
import gc, os, threading
import numpy as np
import workbench as wb
from workbench.session import Session

def model():
    side = 1024 * {WEIGHTS_MB} // 4
    w = np.random.default_rng().normal(size=(side, 1024)).astype("float32")
    builder = wb.ir.GraphBuilder()
    x = builder.param("x", wb.ir.TensorType((side, 1024)))
    y = builder.emit(wb.ir.CallOp("add", (x, builder.constant(w, "w"))), "y")
    return wb.ir.IRModule((("main", builder.build(y)),), pool=builder.module.pool)

def alive():
    gc.collect()
    return sum(isinstance(item, Session) for item in gc.get_objects())

def megabytes():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 2**20

def threads():
    return sum(thread.name.startswith("workbench-") for thread in threading.enumerate())
"""


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    manager, client = start_new_kernel(kernel_name="python3")
    kernel = Kernel(client)
    kernel.result(MODEL + "\n0")
    yield kernel
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def number(kernel: Kernel, code: str) -> int:
    return int(kernel.result(code)["text/plain"])


_COMMS = count()


def show(kernel: Kernel, bundle: dict[str, dict[str, str]]) -> str:
    """A view connects; gives the comm to close."""
    comm = f"view{next(_COMMS)}"
    data = {"type": "open", "id": 1, "step": 0, "key": bundle[MIME]["key"]}
    kernel.send("comm_open", comm, target_name="workbench", data=data)
    assert kernel.wait("hello")
    return comm


@pytest.mark.parametrize("code", ["s = wb.open(model()); s", "wb.open(model())"])
@pytest.mark.parametrize("viewed", [True, False])
def test_running_a_cell_again_keeps_one_session(kernel: Kernel, code: str, viewed: bool) -> None:
    before, grown = number(kernel, "alive()"), 0
    for run in range(RUNS):
        bundle = kernel.result(code, cell="first")
        if viewed:
            kernel.send("comm_close", show(kernel, bundle), data={})
        if run == 3:
            grown = -number(kernel, "megabytes()")
    assert number(kernel, "alive()") <= before + 1
    assert number(kernel, "threads()") <= 1
    grown += number(kernel, "megabytes()")
    assert grown < RUNS * WEIGHTS_MB / 3, f"{grown} MB more"


def test_steps_in_the_history_of_outputs_do_not_hold_old_sessions(kernel: Kernel) -> None:
    before = number(kernel, "alive()")
    for _ in range(5):
        kernel.run("s = wb.open(model())", cell="first")
        kernel.result('s.apply("LegalizeOps")', cell="second")
    kernel.run("s = wb.open(model())", cell="first")
    kernel.run("s.wait()")
    assert number(kernel, "alive()") <= before + 1


def test_what_the_user_still_has_lives(kernel: Kernel) -> None:
    kernel.run("old = [wb.open(model())]; named = wb.open(model())", cell="first")
    key = kernel.result("named", cell="second")[MIME]["key"]
    for _ in range(3):
        kernel.run("s = wb.open(model())", cell="first")
        kernel.result("s", cell="second")
    assert kernel.result("len(old[0].steps) + len(named.steps)")["text/plain"] == "2"
    assert kernel.result("named", cell="third")[MIME]["key"] == key


def test_a_picture_on_show_lives_without_a_name(kernel: Kernel) -> None:
    bundle = kernel.result("s = wb.open(model()); s", cell="first")
    kernel.run("display(wb.open(model())); del s", cell="second")
    comm = show(kernel, bundle)
    for _ in range(3):
        kernel.result("s = wb.open(model()); s", cell="first")
    kernel.send("comm_msg", comm, data={"type": "show", "id": 2, "step": 0})
    assert kernel.wait("module")


def test_an_awaited_picture_lives_until_its_view_comes(kernel: Kernel) -> None:
    messages = kernel.run("display(wb.open(model()))", cell="alone")
    assert number(kernel, "alive()") > 0
    bundle = next(m["data"] for m in messages if m["type"] == "display_data")
    assert show(kernel, bundle)


def closed(session: Session, comm: FakeComm) -> None:
    comm.wait("hello")
    comm.closed({})
    hub = hub_of(session)
    hub.leave(comm).wait(10)  # pyright: ignore[reportArgumentType] - only waits for the one before


def test_the_last_closed_pictures_can_come_back_and_older_ones_cannot() -> None:
    keys: list[str] = []
    ends: list[weakref.ref[Session]] = []
    for _ in range(kept.CLOSED + 1):
        session = wb.open(small())
        display(session)
        closed(session, connect(session.key))
        keys.append(session.key)
        ends.append(weakref.ref(session))
        del session
    gc.collect()
    assert [end() is not None for end in ends] == [False] + [True] * kept.CLOSED
    assert connect(keys[0]).wait("unknown")
    assert connect(keys[-1]).wait("hello")


def test_threads_end_where_nothing_is_to_be_done() -> None:
    session = wb.open(small())
    session.apply("LegalizeOps")
    assert session.wait()
    comm = connect(session.key)
    comm.wait("hello")
    end = weakref.ref(session)
    closed(session, comm)
    del session
    for _ in range(kept.CLOSED):
        other = wb.open(small())
        closed(other, connect(other.key))
    gc.collect()
    assert end() is None
