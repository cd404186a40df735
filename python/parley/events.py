"""What a session needs of its link, and tells the end that has dialed."""

from __future__ import annotations

from typing import Protocol

from .goaway import Goaway
from .status import RpcError
from .stream import Stream


class Link(Protocol):
    """The link of a session."""

    def wake(self) -> None:
        """Something waits to be sent: next_message has it."""

    def close(self, code: int, reason: str) -> None:
        """Closes the link with a code."""

    def drop(self) -> None:
        """Gives up the link without a code."""


class SessionEvents(Protocol):
    """Hears what happens to a session."""

    def ready(self, resumed: bool) -> None:
        """The peer's HELLO has arrived."""

    def detached(self, error: RpcError) -> None:
        """The link is lost. Another one may be attached."""

    def ended(self, error: RpcError, code: int) -> None:
        """The session is over. Pending streams can still be moved."""

    def goaway(self, goaway: Goaway) -> None:
        """The peer drains."""

    def accept(self, stream: Stream, header: bytes) -> None:
        """The peer has opened a stream."""
