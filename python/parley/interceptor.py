"""Interceptors: what happens around every call, at either end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import reduce

from google.protobuf.message import Message

from .metadata import Metadata


class CallStream:
    """
    One end of a call, message by message.

    method is package.Service/Method. metadata came, or goes, with the request. header and trailers are those of the
    response. A caller's interceptor may add to metadata before it calls next, a server's one to header before the first
    response, and to trailers until it returns.
    """

    method: str

    @property
    def metadata(self) -> Metadata:
        raise NotImplementedError

    @property
    def header(self) -> Metadata:
        raise NotImplementedError

    @property
    def trailers(self) -> Metadata:
        raise NotImplementedError

    @property
    def time_left(self) -> float | None:
        """The seconds until the deadline; None if there is none."""
        raise NotImplementedError

    async def send(self, message: Message) -> bool:
        """Sends a request, or a response at the server. It returns False if the peer wants no more."""
        raise NotImplementedError

    async def receive(self) -> Message | None:
        """Returns the next message of the peer, None at the end. At the caller it raises the status."""
        raise NotImplementedError


class WrappedStream(CallStream):
    """A stream that does what another one does. Override send and receive to see, change or refuse messages."""

    def __init__(self, inner: CallStream) -> None:
        self.inner = inner
        self.method = inner.method

    @property
    def metadata(self) -> Metadata:
        return self.inner.metadata

    @property
    def header(self) -> Metadata:
        return self.inner.header

    @property
    def trailers(self) -> Metadata:
        return self.inner.trailers

    @property
    def time_left(self) -> float | None:
        return self.inner.time_left

    async def send(self, message: Message) -> bool:
        return await self.inner.send(message)

    async def receive(self) -> Message | None:
        return await self.inner.receive()


# Handles one call of any kind: it returns when the status is OK, and raises it otherwise. For an interceptor of a caller
# it is what the application does with the call, from its start to its status.
Handler = Callable[[CallStream], Awaitable[None]]

# Wraps a Handler. One shape serves the four kinds of calls, at both ends. It calls the handler at most once.
Interceptor = Callable[[Handler], Handler]


def chain(interceptors: Sequence[Interceptor], handler: Handler) -> Handler:
    """Wraps a handler. The first interceptor is outermost."""
    return reduce(lambda next, interceptor: interceptor(next), reversed(interceptors), handler)
