"""The state of a connection, for programs that show it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from enum import Enum


class State(Enum):
    """What a client does at the moment."""

    IDLE = "idle"  # not connected; the next call connects
    CONNECTING = "connecting"
    READY = "ready"
    DETACHED = "detached"  # the link is lost, and calls go on when it is back
    FAILED = "failed"  # the latest dial failed, and another one follows
    CLOSED = "closed"


class StateWatch:
    """The current state. Several tasks can follow it."""

    def __init__(self) -> None:
        self.state = State.IDLE
        self._changed = asyncio.Event()

    def set(self, state: State) -> None:
        if state is not self.state and self.state is not State.CLOSED:
            self.state = state
            self._changed.set()
            self._changed = asyncio.Event()

    async def follow(self) -> AsyncIterator[State]:
        """Yields the state, and each one that is seen after it, until the client is closed."""
        while True:
            state, changed = self.state, self._changed
            yield state
            if state is State.CLOSED:
                return
            if self.state is state:
                await changed.wait()
