"""A session with what keeps it attached: it dials, and dials again."""

from __future__ import annotations

import asyncio
from typing import Protocol

from .backoff import Backoff
from .closecode import LOST, Reconnect
from .goaway import Goaway
from .handshake import DialError
from .hello import SessionRef
from .link import WebSocketLink
from .options import Options
from .session import Session
from .status import RpcError
from .stream import Stream
from .targets import Targets

STOP_TIMEOUT = 5.0  # seconds
STABLE_LINK = 1.0  # seconds; a link that lives shorter is replaced with a delay


class Owner(Protocol):
    """Hears what happens to its sessions."""

    options: Options
    backoff: Backoff
    targets: Targets

    def ready(self, sub: SubConn) -> None: ...

    def detached(self, sub: SubConn) -> None: ...

    def failed(self, sub: SubConn, error: RpcError) -> None: ...

    def not_resumed(self, sub: SubConn) -> None: ...

    def ended(self, sub: SubConn, error: RpcError, code: int) -> None: ...

    def goaway(self, sub: SubConn, goaway: Goaway) -> None: ...

    def accept(self, stream: Stream, header: bytes) -> None: ...


class SubConn:
    """One session. It dials the first URL that answers after a delay in seconds, and again as long as that may help."""

    def __init__(self, owner: Owner, urls: list[str], delay: float, replaces: SessionRef | None) -> None:
        self.session = Session(owner.options.settings, self, replaces)
        self.url = urls[0]  # of the latest link
        self._urls = urls
        self.is_ready = False
        self.error: RpcError | None = None  # of the latest dial
        self.refused = False  # to dial again does not help
        self.may_hurry = True  # the delay is not there to slow down a loop
        self._owner = owner
        self._now = asyncio.Event()
        self._ready_at = 0.0
        self._linked = False
        self.task = asyncio.ensure_future(self._run(delay))

    def dial_now(self) -> None:
        """Ends the wait before the first dial: a call is to start. A wait after a failure goes on."""
        if self.error is None and self.may_hurry:
            self._now.set()

    def is_young(self, seconds: float) -> bool:
        """Reports whether the session is ready for less than a time."""
        return not self.is_ready or asyncio.get_running_loop().time() - self._ready_at < seconds

    # Dialing.

    async def _run(self, delay: float) -> None:
        await self._pause(delay)
        while not self.session.error:
            try:
                self.url, websocket = await self._owner.targets.dial(self._dialable, new_session=self.session.ref is None)
            except DialError as e:
                await self._failed(e)
                continue
            if self.session.error:
                websocket.transport.abort()
                return
            link = WebSocketLink(websocket, self.session)
            began = asyncio.get_running_loop().time()
            self.session.attach(link)
            self._linked = True
            await link.run()
            self._linked = False
            if not self.session.error:
                if self.is_ready and asyncio.get_running_loop().time() - began >= STABLE_LINK:
                    self._owner.backoff.reset()
                await self._pause(self._owner.backoff.delay(Reconnect.NOW))

    async def _failed(self, error: DialError) -> None:
        """Handles a dial that has failed: it waits, or ends the session."""
        self.error = error
        resuming = self.session.ref is not None
        if not (error.resume if resuming else error.retry):
            self.refused = True
            return self.session.close(LOST, error)
        if resuming:
            self._owner.not_resumed(self)
        else:
            self._owner.failed(self, error)
        self._now.clear()
        await self._pause(max(self._owner.backoff.delay(Reconnect.BACKOFF), self._owner.targets.wait(self._dialable)))

    @property
    def _dialable(self) -> list[str]:
        """The URLs to dial: only the server that has a session is known to resume it."""
        return self._urls if self.session.ref is None else [self.url]

    async def _pause(self, seconds: float) -> None:
        if seconds > 0:
            try:
                async with asyncio.timeout(seconds):
                    await self._now.wait()
            except TimeoutError:
                pass

    async def stop(self) -> None:
        """Waits until the link is closed. The session has to be closed."""
        if not self._linked:
            self.task.cancel()  # it dials, or waits
        await asyncio.wait([self.task], timeout=STOP_TIMEOUT)
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    # Events of the session.

    def ready(self, resumed: bool) -> None:
        self.error = None
        self.is_ready = True
        self._now.clear()
        if not resumed:
            self._ready_at = asyncio.get_running_loop().time()
        self._owner.ready(self)

    def detached(self, error: RpcError) -> None:
        self._now.clear()
        self._owner.detached(self)

    def ended(self, error: RpcError, code: int) -> None:
        self._now.set()
        self._owner.ended(self, error, code)

    def goaway(self, goaway: Goaway) -> None:
        self._owner.goaway(self, goaway)

    def accept(self, stream: Stream, header: bytes) -> None:
        self._owner.accept(stream, header)
