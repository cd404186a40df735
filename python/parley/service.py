"""Services that a client serves: the server calls them over the connection that the client has made."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from .interceptor import CallStream, Interceptor
from .metadata import Metadata
from .method import Method, method_of
from .stream import Stream


@dataclass(frozen=True)
class Handler:
    """A method with the function that serves it."""

    method: Method
    serve: Callable[..., Any]


class Services:
    """The handlers of the methods that are served, by path."""

    def __init__(self, interceptors: Sequence[Interceptor] = ()) -> None:
        self.interceptors = interceptors
        self._handlers: dict[str, Handler] = {}

    def add(self, service: ServiceDescriptor, implementation: object) -> None:
        """Serves the methods of a service by those of an object. A method that the object lacks is UNIMPLEMENTED."""
        found = 0
        for descriptor in service.methods:
            method = method_of(descriptor)
            serve = getattr(implementation, method.name, None)
            if serve is not None:
                self._handlers[method.path] = Handler(method, serve)
                found += 1
        if not found:
            name = type(implementation).__name__
            raise ValueError(f"{name} has no method of {service.full_name}: define {service.methods[0].name}")

    def find(self, path: str) -> Handler | None:
        return self._handlers.get(path)


class ServerContext:
    """What a handler knows of its call, and can say beside its messages."""

    def __init__(self, method: str, metadata: Metadata, timeout: int | None) -> None:
        self.method = method
        self.metadata = metadata
        self.header = Metadata()  # sent before the first message
        self.trailers = Metadata()  # sent with the status
        self.deadline = None if timeout is None else time.monotonic() + timeout / 1e6

    @property
    def time_left(self) -> float | None:
        """The seconds until the deadline; None if there is none."""
        return None if self.deadline is None else self.deadline - time.monotonic()


class ServedStream(CallStream):
    """The innermost stream of a call that is served."""

    def __init__(self, context: ServerContext, send: Callable[[Any], Any], receive: Callable[[], Any]) -> None:
        self.method = context.method
        self._context = context
        self._send = send
        self._receive = receive

    @property
    def metadata(self) -> Metadata:
        return self._context.metadata

    @property
    def header(self) -> Metadata:
        return self._context.header

    @property
    def trailers(self) -> Metadata:
        return self._context.trailers

    @property
    def time_left(self) -> float | None:
        return self._context.time_left

    async def send(self, message: Message) -> bool:
        wanted: bool = await self._send(message)
        return wanted

    async def receive(self) -> Message | None:
        message: Message | None = await self._receive()
        return message


class Tasks:
    """The handlers that run, also those whose stream was reset. Their number is bounded."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def full(self) -> bool:
        return len(self._tasks) >= self._limit

    def start(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def stop(self) -> None:
        """Cancels the handlers, and waits until they have ended."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=5)


class Requests:
    """The requests of a call, as a handler iterates over them."""

    def __init__(self, receive: Callable[[], Any], stream: Stream) -> None:
        self._receive = receive
        self.stream = stream

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        request = await self._receive()
        if request is None:
            raise StopAsyncIteration
        return request
