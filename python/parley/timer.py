"""A timer that can be set again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Timer:
    """Calls a function once after a time, unless it is stopped before."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._handle: asyncio.TimerHandle | None = None

    @property
    def running(self) -> bool:
        return self._handle is not None

    def start(self, seconds: float) -> None:
        """Starts the timer, again if it runs."""
        self.stop()
        self._handle = asyncio.get_running_loop().call_later(seconds, self._fire)

    def sooner(self, seconds: float) -> None:
        """Starts the timer, unless it runs out before that anyway."""
        if self._handle is None or self._handle.when() > asyncio.get_running_loop().time() + seconds:
            self.start(seconds)

    def stop(self) -> None:
        """Stops the timer."""
        if self._handle:
            self._handle.cancel()
            self._handle = None

    def _fire(self) -> None:
        self._handle = None
        self._call()
