"""The drain of a session: what both ends have announced (PROTOCOL.md, section 10)."""

from __future__ import annotations

from .goaway import Goaway
from .status import RpcError, to_code
from .varint import LARGEST, Fault

MAX_GOAWAYS = 100


class Drain:
    """What is known of the end of a session before it comes."""

    def __init__(self) -> None:
        self.goaway: Goaway | None = None  # the peer's latest
        self.cause: RpcError | None = None  # of a GOAWAY that ends the session now
        self.stopped = False  # this end has announced that it opens no more streams
        self.leaving = False  # the application wants no more of the session
        self.final = False  # this end has sent its final GOAWAY
        self._count = 0

    @property
    def may_open(self) -> bool:
        """Reports whether this end may open streams."""
        return not self.stopped and (self.goaway is None or self.goaway.notice)

    @property
    def may_close(self) -> bool:
        """Reports whether this end may close the session once it is idle. After a mere notice, the peer may still call."""
        return self.stopped and (self.leaving or self.goaway is None or not self.goaway.notice)

    def receive(self, goaway: Goaway) -> None:
        """Handles a GOAWAY."""
        self._count += 1
        if self._count > MAX_GOAWAYS:
            raise Fault("A13", 4008, "a flood of GOAWAYs")
        if goaway.last_stream > (self.goaway.last_stream if self.goaway else LARGEST):
            raise Fault("A6", what="GOAWAY that raises last_stream")
        self.goaway = goaway
        if goaway.status:
            self.cause = RpcError(to_code(goaway.status), goaway.reason or "the peer has ended the session")
