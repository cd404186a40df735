"""A call with interceptors around it, at the end of the caller."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, cast

from google.protobuf.message import Message

from .conversation import Conversation, Req, Res
from .interceptor import CallStream, Handler, Interceptor, chain
from .metadata import Metadata
from .status import Code, RpcError


class CallerStream(CallStream):
    """The innermost stream: it is the call itself."""

    def __init__(self, method: str, metadata: Metadata, deadline: float | None) -> None:
        self.method = method
        self.call: Conversation[Message, Message] | None = None
        self._metadata = metadata
        self._deadline = deadline  # by the clock of the loop

    @property
    def metadata(self) -> Metadata:
        return self._metadata

    @property
    def header(self) -> Metadata:
        return self.call.arrived_header if self.call else Metadata()

    @property
    def trailers(self) -> Metadata:
        return self.call.trailers if self.call else Metadata()

    @property
    def time_left(self) -> float | None:
        return None if self._deadline is None else self._deadline - asyncio.get_running_loop().time()

    def _begun(self) -> Conversation[Message, Message]:
        if not self.call:
            raise RuntimeError("the call has not begun: an interceptor sends and receives in the stream that it passes to next")
        return self.call

    async def send(self, message: Message) -> bool:
        return await self._begun().send(message)

    async def receive(self) -> Message | None:
        return await self._begun().receive()


class Intercepted(Generic[Req, Res]):
    """A call whose interceptors run in a task of their own. start begins the call itself."""

    def __init__(
        self,
        interceptors: Sequence[Interceptor],
        stream: CallerStream,
        start: Callable[[], Conversation[Req, Res]],
    ) -> None:
        loop = asyncio.get_running_loop()
        self._base = stream
        self._start = start
        self._outer: asyncio.Future[CallStream] = loop.create_future()  # what the application uses
        self._status: asyncio.Future[None] = loop.create_future()  # of the call itself
        self._canceled: RpcError | None = None  # before it has begun
        self._task = asyncio.ensure_future(self._run(chain(interceptors, self._application)))
        for future in (self._status, self._task):
            future.add_done_callback(lambda f: f.cancelled() or f.exception())  # the application may ask for neither

    async def _run(self, handler: Handler) -> None:
        await handler(self._base)
        if not self._outer.done():
            raise RpcError(Code.INTERNAL, "an interceptor has returned, and has not called next")

    async def _application(self, stream: CallStream) -> None:
        """The innermost handler: the application has the call until its status is known."""
        if self._outer.done():
            raise RuntimeError("an interceptor has called next twice")
        self._base.call = cast("Conversation[Message, Message]", self._start())
        self._outer.set_result(stream)
        await self._status

    async def _ready(self) -> CallStream:
        """Returns the stream when the interceptors have begun the call, or raises their error."""
        left = self._base.time_left
        timeout = None if left is None else max(0.0, left)
        try:
            await asyncio.wait((self._outer, self._task), timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self.cancel()
            raise
        if not self._outer.done() and not self._task.done():
            self.cancel(RpcError(Code.DEADLINE_EXCEEDED, "the deadline of the call has passed"))
        if self._canceled and not self._outer.done():
            raise self._canceled
        if not self._outer.done():
            self._task.result()
        return self._outer.result()

    async def _settle(self, error: RpcError | None) -> None:
        """Gives interceptors the status of the call, and raises the one that they make of it."""
        if not self._status.done():
            if error:
                self._status.set_exception(error)
            else:
                self._status.set_result(None)
        await asyncio.shield(self._task)

    @property
    def over(self) -> bool:
        return self._task.done()

    @property
    def arrived_header(self) -> Metadata:
        return self._base.header

    @property
    def trailers(self) -> Metadata:
        return self._base.trailers

    async def send(self, message: Req) -> bool:
        stream = await self._ready()
        try:
            return await stream.send(message)
        except RpcError as e:
            await self._settle(e)
            return False
        except BaseException:
            self.cancel()
            raise

    async def end(self) -> None:
        await self._ready()
        try:
            await self._base._begun().end()
        except RpcError as e:
            await self._settle(e)

    async def receive(self) -> Res | None:
        stream = await self._ready()
        try:
            message = await stream.receive()
        except RpcError as e:
            await self._settle(e)
            return None
        except BaseException:
            self.cancel()
            raise
        if message is None:
            await self._settle(None)
        return cast("Res | None", message)

    async def header(self) -> Metadata:
        await self._ready()
        return await self._base._begun().header()

    def cancel(self, error: RpcError | None = None) -> None:
        error = error or RpcError(Code.CANCELED, "the caller has canceled the call")
        if not self._base.call:
            self._canceled = error
            self._task.cancel()
        else:
            self._base.call.cancel(error)
            if not self._status.done():
                self._status.set_exception(error)
