"""Calls: what the four kinds have in common at the end of the caller (PROTOCOL.md, section 11)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

from google.protobuf.message import Message

from . import callwire, compression
from . import frame as f
from .codec import Codec
from .metadata import Metadata, TooManyPairs
from .method import Method
from .session import Session
from .status import Code, RpcError
from .stream import Received, Stream
from .timer import Timer

MAX_TIMEOUT = 2**53 // 1_000_000  # seconds
Req = TypeVar("Req", bound=Message)
Res = TypeVar("Res", bound=Message)

Open = Callable[[Callable[[Session], bytes], bool], Stream]


@dataclass(frozen=True)
class CallOptions:
    """What holds for one call. The timeout is in seconds; None is none."""

    codec: Codec
    compression: str = ""
    timeout: float | None = None
    metadata: Metadata = field(default_factory=Metadata)
    wait_for_ready: bool = False


class Exchange(Generic[Req, Res]):
    """
    One call on one stream: messages of both directions, and its status.

    Whatever cancels a task that waits in it cancels the call.
    """

    def __init__(self, open: Open, method: Method, options: CallOptions, deadline: float | None) -> None:
        self._method = method
        self._options = options
        self._deadline = deadline  # by the clock of the loop
        self._encoding = ""  # of what the peer sends compressed
        self._opened_on: Session | None = None
        self._received = 0
        self._header: asyncio.Future[Metadata] = asyncio.get_running_loop().create_future()
        self._header.add_done_callback(lambda h: h.cancelled() or h.exception())  # it may be left unread
        self.trailers = Metadata()
        self.error: RpcError | None = None
        self.over = False
        self._timer = Timer(self._expire)
        self.stream = open(self._make_open, options.wait_for_ready)
        self.stream.events = self
        if deadline is not None:
            self._timer.start(max(0, deadline - asyncio.get_running_loop().time()))

    def _make_open(self, session: Session) -> bytes:
        self._opened_on = session
        alias = session.aliases.get(self._method.path, 0)
        timeout: int | None = None
        if self._deadline is not None:
            left = min(self._deadline - asyncio.get_running_loop().time(), MAX_TIMEOUT)
            timeout = max(1, int(left * 1e6))
        options = self._options
        codec = "" if options.codec.name == "proto" else options.codec.name
        return callwire.encode_open(
            callwire.CallOpen(
                self._method.path, alias, timeout, codec, options.compression, compression.ACCEPT, options.metadata
            )
        )

    # Sending.

    async def send(self, message: Req) -> bool:
        """
        Sends a message; the only one of its method ends the requests, too.

        It returns False if the peer has ended the call with OK, and raises the error of the call.
        """
        if not isinstance(message, self._method.request):
            self.cancel()
            want, got = self._method.request.DESCRIPTOR.full_name, type(message).__name__
            raise TypeError(f"{self._method.path} takes {want} messages, not {got}")
        data, marked = self._options.codec.encode(message), False
        if self._options.compression:
            data, marked = compression.compress(data)
        return await self._guard(self.stream.send(data, marked=marked, end=self._method.kind.one_request))

    async def end(self) -> None:
        """Says that no message follows."""
        await self._guard(self.stream.end())

    async def _guard(self, sending: Awaitable[bool]) -> bool:
        try:
            sent = await sending
        except asyncio.CancelledError:
            self.cancel()
            raise
        except RpcError as e:
            sent = False
            self.error = self.error or (None if self.over else e)
        if self.error:
            raise self.error
        return sent and not self.over

    # Receiving.

    async def receive(self) -> Res | None:
        """Returns the next message, None at the end of a call with status OK. It raises the error of other calls."""
        try:
            message = await self.stream.receive()
        except asyncio.CancelledError:
            self.cancel()
            raise
        except RpcError as e:
            raise self.error or e
        if message is None:
            if self._method.kind.one_response and not self._received and not self.error:
                self._abort(self._wrong_number("none has"))
            if self.error:
                raise self.error
            return None
        self._received += 1
        try:
            if self._method.kind.one_response and self._received > 1:
                raise self._wrong_number("two have")
            return self._decode(message)
        except RpcError as e:
            self._abort(e)
            raise

    def _wrong_number(self, came: str) -> RpcError:
        return RpcError(Code.INTERNAL, f"{self._method.path} answers with one message, and {came} come")

    def _decode(self, message: Received) -> Res:
        data = message.data
        if message.marked:
            if not self._encoding:
                raise RpcError(Code.INTERNAL, "a compressed message came although no compression was named")
            data = compression.inflate(data, self.stream.session.settings.max_message)
        try:
            return cast(Res, self._options.codec.decode(data, self._method.response))
        except ValueError as e:
            raise RpcError(Code.INTERNAL, f"a message of {self._method.path} does not parse: {e}") from None

    async def header(self) -> Metadata:
        """Returns the header when it has arrived. It is empty if the call ends with OK and has none."""
        return await asyncio.shield(self._header)

    @property
    def arrived_header(self) -> Metadata:
        """The header, empty until it has arrived."""
        arrived = self._header.done() and not self._header.cancelled() and not self._header.exception()
        return self._header.result() if arrived else Metadata()

    # Ending.

    def cancel(self, error: RpcError | None = None) -> None:
        """Cancels the call. What has arrived is dropped."""
        self._abort(error or RpcError(Code.CANCELED, "the caller has canceled the call"))

    def _expire(self) -> None:
        if not self.stream.recv_over:
            self._abort(RpcError(Code.DEADLINE_EXCEEDED, "the deadline of the call has passed"))

    def _abort(self, error: RpcError) -> None:
        self.error = self.error or error
        if not self.stream.closed:
            self.stream.reset(f.CANCEL, error)
        self._finish()

    def _finish(self) -> None:
        self.over = True
        self._timer.stop()
        if not self._header.done():
            if self.error:
                self._header.set_exception(self.error)
            else:
                self._header.set_result(Metadata())

    def on_header(self, block: bytes) -> None:
        try:
            header = callwire.parse_header(block)
            if header.encoding and header.encoding not in (*compression.NAMES, self._options.compression):
                raise callwire.MalformedBlock(f"the compression {header.encoding!r} was not accepted")
        except callwire.MalformedBlock as e:
            return self._abort(RpcError(Code.INTERNAL, str(e)))
        except TooManyPairs:
            return self._abort(RpcError(Code.RESOURCE_EXHAUSTED, "the header has more than 256 pairs of metadata"))
        self._encoding = header.encoding
        if not self._header.done():
            self._header.set_result(header.metadata)

    def on_end(self, trailer: bytes) -> None:
        try:
            end = callwire.parse_end(trailer)
        except callwire.MalformedBlock as e:
            self.error = RpcError(Code.INTERNAL, str(e))
        except TooManyPairs:
            self.error = RpcError(Code.RESOURCE_EXHAUSTED, "the trailer has more than 256 pairs of metadata")
        else:
            self.trailers = end.metadata
            self.error = callwire.end_error(end)
            if end.alias and self._opened_on:
                self._opened_on.aliases[self._method.path] = end.alias
        self._finish()
        # The end of the peer's direction ends the call, also before all is sent. What has arrived is kept.
        ended = RpcError(Code.CANCELED, "the call has ended")
        asyncio.get_running_loop().call_soon(self.stream.reset, f.CANCEL, ended)

    def on_fail(self, error: RpcError) -> None:
        if not self.over:  # behind the end, a reset concerns only what this end still had to send
            self.error = error
            self._finish()
