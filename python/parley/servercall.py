"""A call of the server that this client serves (PROTOCOL.md, section 11)."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Any

from google.protobuf.message import Message

from . import callwire, compression
from . import frame as f
from .callwire import CallEnd, CallHeader, CallOpen
from .codec import Codec, find_codec
from .interceptor import CallStream, chain
from .metadata import Metadata, TooManyPairs
from .service import Handler, Requests, ServedStream, ServerContext, Services, Tasks
from .status import Code, RpcError
from .stream import Stream

MAX_TIMER = 10**9  # seconds; a longer timeout is none
_log = logging.getLogger("parley")


def serve_stream(services: Services, tasks: Tasks, stream: Stream, header: bytes) -> None:
    """Serves a stream that the peer has opened."""
    if tasks.full:
        return stream.reset(f.REFUSED, RpcError(Code.UNAVAILABLE, "too many handlers are running"))
    try:
        opened = callwire.parse_open(header)
    except TooManyPairs:
        return stream.reset(f.LIMIT, RpcError(Code.RESOURCE_EXHAUSTED, "more than 256 pairs of metadata"))
    except callwire.MalformedBlock as e:
        tasks.start(_refuse(stream, RpcError(Code.INTERNAL, str(e))))
        return
    call = ServerCall(services, stream, opened)
    stream.events = call
    call.task = tasks.start(call.run())


async def _refuse(stream: Stream, error: RpcError) -> None:
    try:
        await stream.end(callwire.encode_end(_end(error), stream.session.peer.max_header))
    except RpcError:
        pass  # the peer has reset the stream


def _end(error: RpcError) -> CallEnd:
    details = [detail.SerializeToString() for detail in error.packed_details]
    return CallEnd(error.code, error.message, error.trailers, details)


def _check_size(what: str, size: int, limit: int) -> None:
    if size > limit:
        raise RpcError(Code.RESOURCE_EXHAUSTED, f"{what} takes {size} bytes, and the caller accepts {limit}")


class ServerCall:
    """One served call."""

    def __init__(self, services: Services, stream: Stream, opened: CallOpen) -> None:
        self._services = services
        self._stream = stream
        self._open = opened
        self._context = ServerContext(opened.method, opened.metadata, opened.timeout)
        self._codec: Codec = find_codec("proto")
        self._headed = False
        self.task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Runs the handler, and ends the call with its status."""
        timeout = self._open.timeout
        seconds = None if timeout is None or timeout / 1e6 > MAX_TIMER else timeout / 1e6
        error: RpcError | None = None
        try:
            async with asyncio.timeout(seconds):
                await self._serve()
        except RpcError as e:
            error = e
        except TimeoutError as e:
            late = seconds is not None and (self._context.time_left or 0) <= 0
            error = self._failure(e) if not late else RpcError(Code.DEADLINE_EXCEEDED, "the deadline has passed")
        except asyncio.CancelledError:
            if self._stream.closed:
                return
            error = RpcError(Code.CANCELED, "the client stops")
        except Exception as e:
            error = self._failure(e)
        await self._finish(error)

    def _failure(self, e: Exception) -> RpcError:
        _log.error("the handler of %s has failed", self._open.method, exc_info=e)
        return RpcError(Code.INTERNAL, "the handler has failed")

    async def _serve(self) -> None:
        opened = self._open
        if opened.alias:
            raise RpcError(Code.INTERNAL, "the alias was not given in this session")
        handler = self._services.find(opened.method)
        if handler is None:
            raise RpcError(Code.UNIMPLEMENTED, f"the method {opened.method!r} is unknown here")
        self._codec = find_codec(opened.codec)
        if opened.encoding and opened.encoding not in compression.NAMES:
            known = ", ".join(compression.NAMES)
            raise RpcError(Code.UNIMPLEMENTED, f"compression {opened.encoding!r} is unknown: known are {known}")
        if opened.timeout == 0:
            raise RpcError(Code.DEADLINE_EXCEEDED, "the deadline had passed")

        stream = ServedStream(self._context, partial(self._send, handler), partial(self._receive, handler))
        await chain(self._services.interceptors, partial(self._call, handler))(stream)

    async def _call(self, handler: Handler, stream: CallStream) -> None:
        kind = handler.method.kind
        argument: Any = await self._only_request(stream) if kind.one_request else Requests(stream.receive, self._stream)
        result = handler.serve(argument, self._context)
        if kind.one_response:
            await stream.send(await result)
            return
        try:
            async for response in result:
                await stream.send(response)
        finally:
            await result.aclose()

    async def _only_request(self, stream: CallStream) -> Message:
        request = await stream.receive()
        if request is None or await stream.receive() is not None:
            raise RpcError(Code.INTERNAL, f"{self._open.method} takes one request, and none or two have come")
        return request

    async def _receive(self, handler: Handler) -> Message | None:
        message = await self._stream.receive()
        if message is None:
            return None
        data = message.data
        if message.marked:
            if not self._open.encoding:
                raise RpcError(Code.INTERNAL, "a compressed message came although no compression was named")
            data = compression.inflate(data, self._stream.session.settings.max_message)
        try:
            return self._codec.decode(data, handler.method.request)
        except ValueError as e:
            raise RpcError(Code.INTERNAL, f"a message of {self._open.method} does not parse: {e}") from None

    async def _send(self, handler: Handler, response: object) -> bool:
        if not isinstance(response, handler.method.response):
            want = handler.method.response.DESCRIPTOR.full_name
            raise TypeError(f"the handler has to return {want} messages, not {type(response).__name__}")
        if not self._headed:
            self._headed = True
            if self._open.encoding or len(self._context.header):
                await self._send_header(self._open.encoding)
        data, marked = self._codec.encode(response), False
        if self._open.encoding:
            data, marked = compression.compress(data)
        _check_size("a response", len(data), self._stream.session.peer.max_message)
        return await self._stream.send(data, marked=marked)

    async def _send_header(self, encoding: str) -> None:
        block = callwire.encode_header(CallHeader(encoding, self._context.header))
        _check_size("the header", len(block), self._stream.session.peer.max_header)
        await self._stream.send_header(block)

    async def _finish(self, error: RpcError | None) -> None:
        if not self._headed and len(self._context.header):
            try:
                await self._send_header("")
            except RpcError as e:
                error = error or e
        end = _end(error) if error else CallEnd()
        end.metadata = Metadata([*self._context.trailers, *end.metadata])
        if self._stream.inside_message:
            code = Code.OK if error is None else error.code
            return self._stream.reset(256 + code, RpcError(code, end.message))
        try:
            await self._stream.end(callwire.encode_end(end, self._stream.session.peer.max_header))
        except RpcError:
            pass  # the call was canceled, or the session has ended

    # Events of the stream.

    def on_header(self, block: bytes) -> None:
        pass

    def on_end(self, trailer: bytes) -> None:
        pass

    def on_fail(self, error: RpcError) -> None:
        if self.task:
            self.task.cancel()
