"""Camera moves: read from words, eased, and no edge ever shown."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpgen.media.camera import Move, ease, overscan, place, pose_at, read_moves

KINDS = [
    "still",
    "push",
    "pull",
    "orbit",
    "crane-up",
    "crane-down",
    "tilt-up",
    "tilt-down",
    "pan-left",
    "pan-right",
    "handheld",
]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("카메라가 천천히 다가간다", ["push"]), ("slow push in", ["push"]), ("dolly in", ["push"]), ("줌인", ["push"]),
        ("카메라가 뒤로 물러난다", ["pull"]), ("zoom out", ["pull"]), ("멀어진다", ["pull"]),
        ("camera pans left", ["pan-left"]), ("왼쪽으로 패닝", ["pan-left"]), ("track to the right", ["pan-right"]), ("패닝", ["pan-right"]),
        ("tilt up", ["tilt-up"]), ("틸트 다운", ["tilt-down"]), ("orbit around her", ["orbit"]), ("주위를 선회", ["orbit"]),
        ("crane up", ["crane-up"]), ("카메라가 올라간다", ["crane-up"]), ("카메라가 내려온다", ["crane-down"]),
        ("handheld", ["handheld"]), ("핸드헬드", ["handheld"]), ("static shot", ["still"]), ("고정 샷", ["still"]),
        ("", ["push"]), ("push in and pan left", ["push", "pan-left"]),
    ],
)  # fmt: skip
def test_words_become_moves(text: str, kinds: list[str]) -> None:
    """Both languages, single moves and two at once; silence is a slow push in."""
    assert [move.kind for move in read_moves(text)] == kinds


def test_slow_and_fast_scale_the_move() -> None:
    """Pace words change how far it goes."""
    assert (
        read_moves("slow push in")[0].amount < read_moves("push in")[0].amount < read_moves("빠르게 다가간다")[0].amount
    )


@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.floats(0, 2)), min_size=1, max_size=3),
    st.lists(st.floats(0.6, 60) | st.just(math.inf), min_size=1, max_size=5),
    st.floats(0.5, 2.5),
    st.floats(0, 1),
    st.integers(0, 1000),
)
@settings(max_examples=200, deadline=None)
def test_no_edge_is_ever_shown(
    moves: list[tuple[str, float]], depths: list[float], aspect: float, t: float, seed: int
) -> None:
    """At every moment, for any moves, depths and shapes, each plane covers the whole frame."""
    path = [Move(kind, amount) for kind, amount in moves]
    base = overscan(path, depths, aspect, 0.0, seed)
    for depth in depths:
        scale, x, y = place(pose_at(path, t, seed), depth, aspect)
        assert base * scale / 2 - max(abs(x), abs(y)) >= 0.5 - 1e-3


def test_easing_starts_and_ends_softly_and_never_turns_back() -> None:
    """0 to 1, monotone, slower at the ends than in the middle."""
    values = [ease(t) for t in np.linspace(0, 1, 101)]
    steps = np.diff(values)
    assert values[0] == 0
    assert values[-1] == 1
    assert (steps > 0).all()
    assert steps[0] < 0.4 * steps[50]


def test_nearer_planes_move_more() -> None:
    """That is what parallax is."""
    pose = pose_at([Move("pan-left"), Move("push")], 1.0)
    near, far, sky = (place(pose, depth, 16 / 9) for depth in (1.0, 10.0, math.inf))
    assert near[0] > far[0] > sky[0] == 1.0
    assert abs(near[1]) > abs(far[1]) > abs(sky[1])
