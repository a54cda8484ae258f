import copy
import pickle
import time
import weakref

import numpy as np
import pytest

from workbench.ir import ConstantPool, GraphBuilder, content_digest


def array(value: int) -> np.ndarray:
    return np.asarray([value], "int64")


def test_a_pool_never_sees_what_was_added_to_it() -> None:
    first, one = ConstantPool().with_array(array(1))
    second, two = one.with_array(array(2))
    assert (list(one), list(two)) == ([first], [first, second])
    assert second not in one
    with pytest.raises(KeyError):
        one[second]
    assert (len(one), len(two)) == (1, 2)
    np.testing.assert_array_equal(two[second], array(2))


def test_two_pools_that_grow_from_one_do_not_see_each_other() -> None:
    first, one = ConstantPool().with_array(array(1))
    second, two = one.with_array(array(2))
    third, other = one.with_array(array(3))
    assert list(two) == [first, second]
    assert list(other) == [first, third]
    assert list(two.merged(other)) == [first, second, third]
    fourth, more = other.with_array(array(4))
    assert list(more) == [first, third, fourth]
    assert list(other) == [first, third]


def test_what_is_there_is_not_added_again() -> None:
    digest, pool = ConstantPool().with_array(array(1))
    assert pool.with_array(array(1)) == (digest, pool)
    assert digest == content_digest(array(1))
    later, grown = pool.with_array(array(2))
    assert pool.with_array(array(2))[0] == later, "which only the later pool has"
    assert len(grown) == 2


def test_pools_can_grow_while_one_goes_through_them() -> None:
    pool = ConstantPool({content_digest(array(n)): array(n) for n in range(5)})
    grown = pool
    for digest in pool:
        _, grown = grown.with_array(array(int(pool[digest][0]) + 100))
    assert len(grown) == 10


def test_arrays_of_a_dropped_pool_are_freed() -> None:
    first, one = ConstantPool().with_array(array(1))
    second, two = one.with_array(array(2))
    held = weakref.ref(two[second])
    other = one.with_array(array(3))[1]
    assert held() is not None
    del two
    assert held() is None
    third, grown = one.with_array(array(4))
    assert list(grown) == [first, third]
    assert len(other) == 2
    assert second not in one


def test_a_pool_is_copied_with_its_own_arrays_only() -> None:
    first, one = ConstantPool().with_array(array(1))
    _, two = one.with_array(np.zeros(100_000))
    text = pickle.dumps(one)
    assert len(text) < 10_000
    for again in (pickle.loads(text), copy.copy(one), copy.deepcopy(one)):
        assert list(again) == [first]
        np.testing.assert_array_equal(again[first], array(1))
    assert len(two) == 2


def test_constants_are_added_in_constant_time() -> None:
    builder = GraphBuilder()
    start = time.process_time()
    for number in range(30_000):
        builder.constant(array(number), "c")
    assert time.process_time() - start < 5, "copying the pool for each takes many times that"
    assert len(builder.module.pool) == 30_000
