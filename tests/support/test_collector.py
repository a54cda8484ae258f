import gc
from threading import Barrier, Thread

import pytest

from workbench.support.collector import ALLOCATIONS, YOUNG, rare_collections


def test_collections_are_rare_inside_and_as_before_afterwards() -> None:
    before = gc.get_threshold()
    with rare_collections():
        assert gc.get_threshold()[0] == ALLOCATIONS
        with rare_collections():
            assert gc.get_threshold()[0] == ALLOCATIONS
        assert gc.get_threshold()[0] == ALLOCATIONS
    assert gc.get_threshold() == before


def test_a_collector_that_is_rarer_or_off_stays_so() -> None:
    before = gc.get_threshold()
    try:
        for chosen in (0, 2 * ALLOCATIONS):
            gc.set_threshold(chosen, *before[1:])
            with rare_collections():
                assert gc.get_threshold()[0] == chosen
            assert gc.get_threshold()[0] == chosen
    finally:
        gc.set_threshold(*before)


def test_threads_that_leave_in_another_order_restore_what_was_set_before_all() -> None:
    before = gc.get_threshold()
    entered, left = Barrier(2), Barrier(2)

    def other() -> None:
        with rare_collections():
            entered.wait()
            left.wait()

    thread = Thread(target=other)
    with rare_collections():
        thread.start()
        entered.wait()
    left.wait()
    thread.join()
    assert gc.get_threshold() == before


def test_thresholds_come_back_after_an_error() -> None:
    before = gc.get_threshold()
    with pytest.raises(KeyError), rare_collections():
        {}["no"]
    assert gc.get_threshold() == before


def test_leaving_looks_through_nothing_that_was_made_inside() -> None:
    looked: list[str] = []
    gc.collect()
    gc.callbacks.append(lambda phase, _: looked.append(phase))
    try:
        with rare_collections():
            made = [[] for _ in range(2 * YOUNG)]
        kept = [[] for _ in range(gc.get_threshold()[0] // 2)]
        assert not looked
        made.append(made)
        del made
        gc.collect()
        assert looked
    finally:
        gc.callbacks.pop()
    assert kept


def test_what_was_frozen_stays_frozen() -> None:
    gc.collect()
    gc.freeze()
    try:
        frozen = gc.get_freeze_count()
        with rare_collections():
            made = [[] for _ in range(2 * YOUNG)]
        assert gc.get_freeze_count() >= frozen - YOUNG > 0
    finally:
        gc.unfreeze()
    assert made
