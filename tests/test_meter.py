"""CPU time is shared among the steps at work, and their sum is what the process used."""

import time

from vpgen.meter import CpuMeter


def _burn(seconds: float) -> None:
    ends = time.process_time() + seconds
    while time.process_time() < ends:
        pass


def test_two_steps_at_once_share_what_was_used() -> None:
    """Side by side, each gets half; alone, all of it; together exactly the process's own figure."""
    meter = CpuMeter()
    began = time.process_time()
    first = meter.start()
    _burn(0.2)
    second = meter.start()
    _burn(0.2)
    of_second = meter.stop(second)
    of_first = meter.stop(first)
    used = time.process_time() - began
    assert 0.05 < of_second < 0.2
    assert of_first > of_second + 0.1
    assert abs(of_first + of_second - used) < 0.1
