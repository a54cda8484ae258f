"""The thread that works for a session goes on, whatever the work does."""

from __future__ import annotations

import sys

from workbench.session.worker import Job, Worker


def leave(_: Job) -> object:
    sys.exit(3)


def test_work_that_wants_to_end_the_program_ends_itself_alone() -> None:
    worker = Worker("test-worker")
    left = worker.submit(Job("leave", leave))
    after = worker.submit(Job("work", lambda _: 5))
    assert left.finished.wait(10)
    assert after.finished.wait(10)
    assert left.fault is not None
    assert left.state == "failed"
    assert "SystemExit: 3" in str(left.fault)
    assert after.result == 5
