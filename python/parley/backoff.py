"""How long a client waits before it connects again."""

from __future__ import annotations

import random

from .closecode import Reconnect

FIRST_DELAY = 0.1  # seconds
MAX_DELAY = 10.0
FIRST_LONG_DELAY = 1.0  # after an overload
MAX_LONG_DELAY = 60.0
RESTART_SPREAD = 5.0  # after a restart, so that clients do not all come at once


class Backoff:
    """Counts failures. Delays double with them, and are random from 0 on: full jitter."""

    def __init__(self) -> None:
        self._failures = 0

    def reset(self) -> None:
        """Forgets the failures: a connection has lasted."""
        self._failures = 0

    def delay(self, reconnect: Reconnect) -> float:
        """Counts a failure, and returns the seconds to wait after it."""
        failures, self._failures = self._failures, min(self._failures + 1, 30)
        match reconnect:
            case Reconnect.OVERLOAD:
                return _jitter(failures + 1, FIRST_LONG_DELAY, MAX_LONG_DELAY)
            case Reconnect.JITTERED:
                return max(random.uniform(0, RESTART_SPREAD), _jitter(failures, FIRST_DELAY, MAX_DELAY))
            case Reconnect.NOW:
                return _jitter(failures, FIRST_DELAY, MAX_DELAY)
            case _:
                return _jitter(failures + 1, FIRST_DELAY, MAX_DELAY)


def _jitter(failures: int, first: float, longest: float) -> float:
    return random.uniform(0, min(longest, first * 2.0 ** (failures - 1))) if failures else 0.0
