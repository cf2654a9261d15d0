"""Shares the process's CPU time among the steps that run at the same time, so that their sum is the bill."""

from __future__ import annotations

import os
import threading


class CpuMeter:
    """Each stretch of CPU time is split evenly among the steps active during it; nothing is counted twice.

    Threads inside numeric libraries belong to no step by themselves, which is why CPU time is taken from the
    process (with its finished children) and shared.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active: dict[object, float] = {}
        self._last = _cpu()

    def start(self) -> object:
        """A step begins; returns its token."""
        token = object()
        with self._lock:
            self._share()
            self._active[token] = 0.0
        return token

    def stop(self, token: object) -> float:
        """The step ends; returns its CPU-seconds."""
        with self._lock:
            self._share()
            return self._active.pop(token)

    def _share(self) -> None:
        now = _cpu()
        if self._active:
            share = (now - self._last) / len(self._active)
            for token in self._active:
                self._active[token] += share
        self._last = now


def _cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
