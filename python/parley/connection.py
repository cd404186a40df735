"""The connection of a client: one session, and its successor while a server drains."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

from .backoff import Backoff
from .closecode import LOST, Reconnect, close_action
from .goaway import Goaway
from .hello import SessionRef
from .options import Options
from .session import Session
from .state import State, StateWatch
from .status import Code, RpcError
from .stream import Stream
from .subconn import SubConn
from .targets import Targets

STABLE_SESSION = 10.0  # seconds after which earlier failures are forgotten
MIN_SESSION = 1.0  # a session that drains sooner counts as a failure
MAX_GOAWAY_DELAY = 60.0


class Connection:
    """Keeps a session for calls in both directions. It connects at the first call, and again when it has to."""

    def __init__(self, options: Options, accept: Callable[[Stream, bytes], None]) -> None:
        self.options = options
        self.backoff = Backoff()
        self.targets = Targets(options)
        self.watch = StateWatch()
        self.closed = False
        self._accept = accept
        self._current: SubConn | None = None
        self._next: SubConn | None = None
        self._retired: set[SubConn] = set()
        self._lost: SessionRef | None = None  # a session that the server may still keep
        self._redirect = ""

    # Calls.

    def open(self, make_header: Callable[[Session], bytes], *, wait_for_ready: bool) -> Stream:
        """Opens a stream on the current session. It raises RpcError if there is none and there will be none soon."""
        if self.closed:
            raise RpcError(Code.CANCELED, "the client is closed", unprocessed=True)
        sub = self._current or self._start()
        if sub.error and not sub.is_ready and not wait_for_ready:
            raise RpcError(sub.error.code, sub.error.message, unprocessed=True)
        if self._next:
            self._next.dial_now()
        return sub.session.open(make_header, wait_for_ready)

    async def connect(self) -> None:
        """Waits for a connection. It raises the error of a refusal, and the one of a first dial that failed."""
        if self.closed:
            raise RpcError(Code.CANCELED, "the client is closed")
        if not self._current:
            self._start()
        sub = self._current
        async for state in self.watch.follow():
            if state is State.READY:
                return
            error = sub.error if sub else None
            if state in (State.FAILED, State.IDLE, State.CLOSED) and error:
                raise RpcError(error.code, error.message)
            if state is State.CLOSED:
                raise RpcError(Code.CANCELED, "the client is closed")

    def _start(self) -> SubConn:
        self._current = self._new(0)
        self.watch.set(State.CONNECTING)
        return self._current

    def _new(self, delay: float, avoid: str = "") -> SubConn:
        """Returns another session. The server at the URL to avoid is tried last."""
        urls, self._redirect = self.targets.order(avoid, self._redirect), ""
        return SubConn(self, urls, delay, self._lost)

    # Ending.

    async def close(self, grace: float = 0) -> None:
        """Closes the connection. Open calls have a grace time in seconds to finish; then they fail with CANCELED."""
        if self.closed:
            return
        self.closed = True
        subs = [s for s in (self._current, self._next, *self._retired) if s]
        for sub in subs:
            sub.session.leave()
        attached = [s.task for s in subs if s.session.attached]
        if attached:
            await asyncio.wait(attached, timeout=grace or 0.001)
        for sub in subs:
            sub.session.close(1000, RpcError(Code.CANCELED, "the client is closed"))
        await asyncio.gather(*(sub.stop() for sub in subs))
        self.watch.set(State.CLOSED)

    # Events of sessions.

    def ready(self, sub: SubConn) -> None:
        self._lost = None
        if sub is self._next and sub.session.may_open:
            old, self._current, self._next = self._current, sub, None
            if old:
                self._retire(old, sub.session)
        if sub is self._current:
            self._keep(sub)
            self.watch.set(State.READY)

    def _retire(self, old: SubConn, to: Session) -> None:
        """Lets a session finish its calls. Those that were not sent yet move."""
        if old.session.error:
            return
        self._retired.add(old)
        old.session.move_pending(to)
        old.session.stop_opening()

    def _keep(self, sub: SubConn) -> None:
        """Drops a session that was to take over while this one was not resumed."""
        spare = self._next
        if spare and self.targets.several and not sub.session.drain.goaway:
            self._next = None
            spare.session.close(1000, RpcError(Code.CANCELED, "the session is not needed"))

    def not_resumed(self, sub: SubConn) -> None:
        """Lets another server take new calls while a session waits for its own."""
        if self.targets.several and sub is self._current and not self._next and not self.closed:
            self._next = self._new(0, avoid=sub.url)

    def detached(self, sub: SubConn) -> None:
        if sub is self._current:
            self.watch.set(State.DETACHED)

    def failed(self, sub: SubConn, error: RpcError) -> None:
        sub.session.fail_pending(error)
        if sub is self._current:
            self.watch.set(State.FAILED)

    def goaway(self, sub: SubConn, goaway: Goaway) -> None:
        if self.closed or sub not in (self._current, self._next):
            return
        self._redirect = same_origin(sub.url, goaway.address)
        delay, young = min(goaway.delay / 1000, MAX_GOAWAY_DELAY), sub.is_young(MIN_SESSION)
        if young:
            delay = max(delay, self.backoff.delay(Reconnect.BACKOFF))
        if sub is self._next:
            self._next = None
            self._retired.add(sub)
            sub.session.stop_opening()
        if not self._next:
            self._next = self._new(delay, avoid=sub.url)
            self._next.may_hurry = not young
            if sub.session.busy and not goaway.notice:
                self._next.dial_now()
        if sub is self._current and not goaway.notice:
            self._promote(sub)

    def _promote(self, old: SubConn) -> None:
        """Makes the next session current although it has no link yet."""
        assert self._next
        self._current, self._next = self._next, None
        self._retire(old, self._current.session)
        if self._current.session.busy:
            self._current.dial_now()
        self.watch.set(State.READY if self._current.is_ready else State.CONNECTING)

    def ended(self, sub: SubConn, error: RpcError, code: int) -> None:
        self._retired.discard(sub)
        if code == LOST and sub.session.ref:
            self._lost = sub.session.ref  # the server does not know that the session has ended
        if self.closed or sub not in (self._current, self._next):
            return
        sub.error = error
        if sub.is_ready and not sub.is_young(STABLE_SESSION):
            self.backoff.reset()
        action = Reconnect.NEVER if sub.refused else close_action(code)[1]
        if sub is self._next:
            self._next = None if action is Reconnect.NEVER else self._new(self.backoff.delay(action))
        elif self._next and action is not Reconnect.NEVER:
            self._current, self._next = self._next, None
            sub.session.move_pending(self._current.session)
            self._current.dial_now()
            self.watch.set(State.READY if self._current.is_ready else State.CONNECTING)
        elif action is Reconnect.NEVER:
            successor, self._current, self._next = self._next, None, None
            if successor:
                successor.session.close(1000, RpcError(Code.CANCELED, "the server has ended the connection for good"))
            self.watch.set(State.IDLE)
        else:
            self._succeed(sub, error, action, avoid=sub.url if code != LOST else "")

    def _succeed(self, sub: SubConn, error: RpcError, action: Reconnect, avoid: str) -> None:
        """Starts another session for one that has ended."""
        drain = sub.session.drain.goaway
        delay = max(self.backoff.delay(action), min(drain.delay / 1000, MAX_GOAWAY_DELAY) if drain else 0)
        self._current = self._new(delay, avoid)
        if delay:
            self._current.error = error
        sub.session.move_pending(self._current.session, waiting_only=delay > 0)
        self.watch.set(State.FAILED if delay else State.CONNECTING)

    def accept(self, stream: Stream, header: bytes) -> None:
        self._accept(stream, header)


def same_origin(url: str, address: str) -> str:
    """Returns the address of a GOAWAY if it has the scheme, the host and the port that were dialed; others are ignored."""
    try:
        old, new = urlsplit(url), urlsplit(address)
        same = (old.scheme, old.hostname, old.port) == (new.scheme, new.hostname, new.port)
    except ValueError:
        return ""
    return address if same and not new.username and not new.password else ""
