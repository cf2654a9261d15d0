"""Stages side by side: what becomes of one when the other fails."""

import asyncio
import gc
from typing import Any

import pytest

from vpgen.errors import Refused
from vpgen.pipeline import _side_by_side
from vpgen.stages import Ref


def test_two_that_fail_are_one_error_and_no_noise() -> None:
    """The first is raised when both have ended; asyncio has no exception left to complain about on stderr."""
    complaints: list[dict[str, Any]] = []

    async def refused(what: str, seconds: float) -> Ref[Any]:
        await asyncio.sleep(seconds)
        raise Refused(what)

    async def work() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        with pytest.raises(Refused, match="first"):
            await _side_by_side(refused("first", 0.01), refused("second", 0))
        gc.collect()

    asyncio.run(work())
    gc.collect()
    assert complaints == []
