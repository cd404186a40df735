"""How a session is left when no more is wanted of it (PROTOCOL.md, sections 10.1 and 10.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .goaway import Goaway
from .status import Code, RpcError
from .timer import Timer

if TYPE_CHECKING:
    from .session import Session

IDLE_CLOSE = 1.0  # seconds for which an idle session leaves the close to the peer
FINAL_TIMEOUT = 2.0  # seconds to wait until the final GOAWAY is acknowledged


class Departure:
    """Sends the final GOAWAY once a session that is to end is idle, and closes it when that has arrived."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._idle = Timer(self._go)
        self._last = Timer(self._close)

    def check(self) -> None:
        """Begins to leave if the session is idle and not needed."""
        session = self._session
        if session.drain.final or session.busy or not session.attached or not session.drain.may_close:
            return self._idle.stop()
        if session.drain.leaving:
            self._idle.sooner(0)
        elif not self._idle.running:
            self._idle.start(IDLE_CLOSE)

    def _go(self) -> None:
        session = self._session
        if session.busy or session.error:
            return
        session.drain.final = True
        session.send_goaway(Goaway(session.highest_remote))
        self._last.start(FINAL_TIMEOUT if session.ref else 0.05)

    def acknowledged(self) -> None:
        """Closes the session: everything that was sent has arrived."""
        if self._session.drain.final:
            self._close()

    def _close(self) -> None:
        self._session.close(1000, RpcError(Code.CANCELED, "the session is not needed"))

    def stop(self) -> None:
        self._idle.stop()
        self._last.stop()
