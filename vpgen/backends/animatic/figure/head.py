"""The whole head, put together back to front."""

from __future__ import annotations

from vpgen.backends.animatic.figure.face import Head, ears, features, helmet, robot, skull
from vpgen.backends.animatic.figure.hair import back_hair, cap, from_behind
from vpgen.backends.animatic.figure.headwear import hat, worn
from vpgen.backends.animatic.figure.shapes import Shape


def behind(head: Head) -> list[Shape]:
    """Hair that belongs behind the torso when the figure faces us."""
    covered = head.look.who == "robot" or head.look.full == "spacesuit"
    return [] if head.back or head.turn or covered else back_hair(head)


def front(head: Head) -> list[Shape]:
    """The head itself with everything on it."""
    if head.look.who == "robot":
        return robot(head)
    if head.look.full == "spacesuit":
        return helmet(head)
    if head.back:
        return [*from_behind(head), *hat(head)]
    face = [head.blob(skull(head.turn), head.skin, shade=0.07), *features(head)]
    hidden = head.look.hair in ("long", "bob") or (head.look.hair == "curly" and not head.turn)
    sides = [] if hidden else ears(head)
    if head.turn:
        return [*back_hair(head), *face, *cap(head), *sides, *worn(head), *hat(head)]
    return [*sides, *face, *cap(head), *worn(head), *hat(head)]
