"""The four kinds of calls as a caller has them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator
from types import TracebackType
from typing import Generic, TypeVar

from .conversation import Conversation, Req, Res
from .metadata import Metadata
from .status import Code, RpcError

C = TypeVar("C", bound="_Call")  # type: ignore[type-arg] # of any messages


class _Call(Generic[Req, Res]):
    """A call. It begins when it is used first."""

    def __init__(self, start: Callable[[], Conversation[Req, Res]]) -> None:
        self._start = start
        self._begun: Conversation[Req, Res] | None = None

    @property
    def _conversation(self) -> Conversation[Req, Res]:
        self._begun = self._begun or self._start()
        return self._begun

    async def header(self) -> Metadata:
        """Returns the metadata that came before the first message; it waits for that."""
        return await self._conversation.header()

    @property
    def trailers(self) -> Metadata:
        """The metadata that came with the status. It is empty until then."""
        return self._begun.trailers if self._begun else Metadata()

    def cancel(self) -> None:
        """Cancels the call, unless it is over."""
        if self._begun and not self._begun.over:
            self._begun.cancel()

    async def __aenter__(self: C) -> C:
        self._conversation  # noqa: B018 # begins the call
        return self

    async def __aexit__(self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None) -> None:
        self.cancel()


class _OneRequest(_Call[Req, Res]):
    """A call with one request."""

    def __init__(self, start: Callable[[], Conversation[Req, Res]], request: Req) -> None:
        super().__init__(start)
        self._request = request
        self._sent = False

    async def header(self) -> Metadata:
        await self._send()
        return await super().header()

    async def _send(self) -> None:
        if not self._sent:
            self._sent = True
            await self._conversation.send(self._request)


class UnaryCall(_OneRequest[Req, Res]):
    """A call with one request and one response: await it."""

    _response: Res | None = None

    def __await__(self) -> Generator[object, None, Res]:
        return self._run().__await__()

    async def _run(self) -> Res:
        if self._response is None:
            await self._send()
            self._response = await _only(self._conversation)
        return self._response


class ServerStreamCall(_OneRequest[Req, Res]):
    """A call with one request and a stream of responses: iterate over it. Leaving the loop cancels the call."""

    async def receive(self) -> Res | None:
        """Returns the next response, None at the end."""
        await self._send()
        return await self._conversation.receive()

    def __aiter__(self) -> AsyncIterator[Res]:
        return _iterate(self)


class ClientStreamCall(_Call[Req, Res]):
    """A call with a stream of requests and one response."""

    async def send(self, request: Req) -> bool:
        """Sends a request. It returns False if the server wants no more: finish has the response."""
        return await self._conversation.send(request)

    async def finish(self) -> Res:
        """Ends the requests, and returns the response."""
        await self._conversation.end()
        return await _only(self._conversation)


class BidiCall(_Call[Req, Res]):
    """A call with streams in both directions. Leaving a loop over the responses cancels the call."""

    async def send(self, request: Req) -> bool:
        """Sends a request. It returns False if the server has ended the call."""
        return await self._conversation.send(request)

    async def end(self) -> None:
        """Says that no request follows."""
        await self._conversation.end()

    async def receive(self) -> Res | None:
        """Returns the next response, None at the end."""
        return await self._conversation.receive()

    def __aiter__(self) -> AsyncIterator[Res]:
        return _iterate(self)


async def _only(call: Conversation[Req, Res]) -> Res:
    """Returns the one response of a call that has one, and raises its error otherwise."""
    response = await call.receive()
    if response is None:
        raise RpcError(Code.INTERNAL, "the call has ended with OK, and without a response")
    await call.receive()  # the status
    return response


async def _iterate(call: ServerStreamCall[Req, Res] | BidiCall[Req, Res]) -> AsyncIterator[Res]:
    try:
        while (response := await call.receive()) is not None:
            yield response
    finally:
        call.cancel()
