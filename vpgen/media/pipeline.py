"""Overlap work on a stream of frames: a parallel map that keeps the order and a bounded number in flight."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def ordered_map(function: Callable[[T], R], items: Iterable[T], workers: int = 2, depth: int = 4) -> Iterator[R]:
    """`map` in `workers` threads, results in order, at most `depth` items taken in advance.

    Memory stays bounded however long the stream is. An exception of the function or of `items` comes out
    where its result would have; closing the generator early waits for what is running and leaves no thread.
    """
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="frames") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) >= depth:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
