from hypothesis import given
from hypothesis import strategies as st

from workbench.analysis.memory import Lifetime, place

LIFETIMES = st.lists(
    st.builds(
        lambda size, first, length: Lifetime(size, first, first + length),
        st.integers(0, 5000),
        st.integers(0, 12),
        st.integers(0, 5),
    ),
    max_size=20,
)


@given(LIFETIMES)
def test_values_of_one_step_do_not_overlap(values: list[Lifetime]) -> None:
    plan = place(values)
    ranges = [
        (offset, offset + value.size) for offset, value in zip(plan.offsets, values, strict=True)
    ]
    for i, a in enumerate(values):
        assert plan.offsets[i] % 64 == 0
        assert ranges[i][1] <= plan.size
        for j, b in enumerate(values[:i]):
            if a.first <= b.last and b.first <= a.last and a.size and b.size:
                assert ranges[i][1] <= ranges[j][0] or ranges[j][1] <= ranges[i][0]


def test_a_chain_needs_two_buffers() -> None:
    chain = [Lifetime(1024, step, step + 1) for step in range(10)]
    assert place(chain).size == 2048


def test_the_tightest_gap_is_taken() -> None:
    values = [
        Lifetime(640, 0, 9),
        Lifetime(512, 0, 1),
        Lifetime(384, 0, 9),
        Lifetime(256, 0, 1),
        Lifetime(192, 0, 9),
        Lifetime(128, 2, 9),  # fits into the gap of 512 and into that of 256
    ]
    assert place(values).offsets[5] == 640 + 512 + 384


def test_nothing_needs_nothing() -> None:
    assert place([]).size == 0
