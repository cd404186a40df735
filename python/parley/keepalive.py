"""Keepalive: finds out that the peer is gone although the link has not ended (PROTOCOL.md, section 9)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .timer import Timer

HELLO_TIMEOUT = 10.0
PONG_TIMEOUT = 10.0


class Keepalive:
    """Watches a link. It calls ping when nothing has arrived for a while, and lost when that does not help."""

    def __init__(self, ping: Callable[[], None], lost: Callable[[str], None]) -> None:
        self._ping = ping
        self._lost = lost
        self._timer = Timer(self._check)
        self._heard = 0.0
        self._pinged = 0.0
        self._interval = 0.0  # 0 until HELLO has arrived

    def start(self) -> None:
        """Starts on a new link."""
        self._interval = 0.0
        self._heard = self._now()
        self._timer.start(HELLO_TIMEOUT)

    def hello(self, interval: float) -> None:
        """Sets the keepalive in force, in seconds: the peer's HELLO has arrived."""
        self._interval = interval
        self._pinged = 0.0
        self._timer.start(interval)

    def heard(self) -> None:
        """Notes that something has arrived."""
        self._heard = self._now()
        self._pinged = 0.0

    def stop(self) -> None:
        self._timer.stop()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _check(self) -> None:
        now = self._now()
        if not self._interval:
            return self._lost("the peer has sent no HELLO within 10 s")
        if self._pinged:
            return self._lost("the peer has not answered a PING")
        silent = now - self._heard
        if silent < self._interval - 0.001:
            return self._timer.start(self._interval - silent)
        self._pinged = now
        self._timer.start(min(self._interval, PONG_TIMEOUT))
        self._ping()
