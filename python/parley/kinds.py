"""The four kinds of calls as a caller has them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator
from types import TracebackType
from typing import Generic, TypeVar

from google.protobuf.message import Message

from .call import Exchange
from .metadata import Metadata
from .status import Code, RpcError

MAX_ATTEMPTS = 4  # of a call that the server has not processed

Req = TypeVar("Req", bound=Message)
Res = TypeVar("Res", bound=Message)
C = TypeVar("C", bound="_Call")  # type: ignore[type-arg] # of any messages


class _Call(Generic[Req, Res]):
    """A call. It begins when it is used first."""

    def __init__(self, start: Callable[[], Exchange[Req, Res]]) -> None:
        self._start = start
        self._begun: Exchange[Req, Res] | None = None

    @property
    def _exchange(self) -> Exchange[Req, Res]:
        self._begun = self._begun or self._start()
        return self._begun

    async def header(self) -> Metadata:
        """Returns the metadata that came before the first message; it waits for that."""
        return await asyncio.shield(self._exchange.header)

    @property
    def trailers(self) -> Metadata:
        """The metadata that came with the status. It is empty until then."""
        return self._begun.trailers if self._begun else Metadata()

    def cancel(self) -> None:
        """Cancels the call, unless it is over."""
        if self._begun and not self._begun.over:
            self._begun.cancel()

    async def __aenter__(self: C) -> C:
        self._exchange  # noqa: B018 # begins the call
        return self

    async def __aexit__(self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None) -> None:
        self.cancel()


class _OneRequest(_Call[Req, Res]):
    """A call with one request, which can be made again if the server has not processed it."""

    def __init__(self, start: Callable[[], Exchange[Req, Res]], request: Req) -> None:
        super().__init__(start)
        self._request = request
        self._attempts = 1
        self._sent = False

    def _again(self, error: RpcError) -> None:
        """Begins again on another session, or raises the error."""
        was_sent = self._begun is not None and self._begun.stream.id > 0
        stays = self._begun is not None and self._begun.stream.session.may_open  # it would refuse the call again
        expired = error.code is not Code.UNAVAILABLE
        if not error.unprocessed or not was_sent or stays or expired or self._attempts >= MAX_ATTEMPTS:
            raise error
        self._attempts += 1
        self._begun, self._sent = None, False

    async def _send(self) -> None:
        if not self._sent:
            self._sent = True
            await self._exchange.send(self._request, end=True)


class UnaryCall(_OneRequest[Req, Res]):
    """A call with one request and one response: await it."""

    _response: Res | None = None

    def __await__(self) -> Generator[object, None, Res]:
        return self._run().__await__()

    async def _run(self) -> Res:
        while self._response is None:
            try:
                await self._send()
                self._response = await self._exchange.receive_only()
            except RpcError as e:
                self._again(e)
        return self._response


class ServerStreamCall(_OneRequest[Req, Res]):
    """A call with one request and a stream of responses: iterate over it. Leaving the loop cancels the call."""

    _received = False

    async def receive(self) -> Res | None:
        """Returns the next response, None at the end."""
        while True:
            try:
                await self._send()
                response = await self._exchange.receive()
                self._received = True
                return response
            except RpcError as e:
                if self._received:
                    raise
                self._again(e)

    def __aiter__(self) -> AsyncIterator[Res]:
        return _iterate(self)


class ClientStreamCall(_Call[Req, Res]):
    """A call with a stream of requests and one response."""

    async def send(self, request: Req) -> bool:
        """Sends a request. It returns False if the server wants no more: finish has the response."""
        return await self._exchange.send(request)

    async def finish(self) -> Res:
        """Ends the requests, and returns the response."""
        await self._exchange.end()
        return await self._exchange.receive_only()


class BidiCall(_Call[Req, Res]):
    """A call with streams in both directions. Leaving a loop over the responses cancels the call."""

    async def send(self, request: Req) -> bool:
        """Sends a request. It returns False if the server has ended the call."""
        return await self._exchange.send(request)

    async def end(self) -> None:
        """Says that no request follows."""
        await self._exchange.end()

    async def receive(self) -> Res | None:
        """Returns the next response, None at the end."""
        return await self._exchange.receive()

    def __aiter__(self) -> AsyncIterator[Res]:
        return _iterate(self)


async def _iterate(call: ServerStreamCall[Req, Res] | BidiCall[Req, Res]) -> AsyncIterator[Res]:
    try:
        while (response := await call.receive()) is not None:
            yield response
    finally:
        call.cancel()
