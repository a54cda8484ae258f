from __future__ import annotations

import threading

import pytest

from workbench.support.identity_memo import IdentityMemo


class Thing:
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Thing)

    def __hash__(self) -> int:
        return 0


def test_answers_belong_to_the_object_and_not_to_its_value() -> None:
    memo: IdentityMemo[Thing, int] = IdentityMemo(4)
    a, b = Thing(), Thing()
    assert memo.get(a, lambda: 1) == 1
    assert memo.get(b, lambda: 2) == 2
    assert memo.get(a, lambda: 3) == 1
    assert memo.get(a, lambda: 4, "key") == 4


def test_the_last_used_are_kept() -> None:
    memo: IdentityMemo[Thing, int] = IdentityMemo(2)
    a, b, c = Thing(), Thing(), Thing()
    for number, thing in enumerate((a, b, a, c)):
        memo.get(thing, lambda number=number: number)
    assert len(memo) == 2
    assert memo.get(a, lambda: 9) == 0
    assert memo.get(b, lambda: 9) == 9


def test_an_object_is_held_while_its_address_is_known() -> None:
    memo: IdentityMemo[Thing, int] = IdentityMemo(1000)
    answers = [memo.get(Thing(), lambda n=n: n) for n in range(500)]
    assert answers == list(range(500))


def test_faults_are_not_kept() -> None:
    memo: IdentityMemo[Thing, int] = IdentityMemo(2)
    thing = Thing()

    def fault() -> int:
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        memo.get(thing, fault)
    assert memo.get(thing, lambda: 1) == 1


def test_threads_get_one_answer() -> None:
    memo: IdentityMemo[Thing, object] = IdentityMemo(2)
    thing, start = Thing(), threading.Barrier(8)
    found: list[object] = []

    def ask() -> None:
        def make() -> object:
            start.wait(10)
            return object()

        found.append(memo.get(thing, make))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(map(id, found))) == 1


def test_a_maker_may_ask_the_memo() -> None:
    memo: IdentityMemo[Thing, int] = IdentityMemo(4)
    a, b = Thing(), Thing()
    assert memo.get(a, lambda: memo.get(b, lambda: 1) + 1) == 2
