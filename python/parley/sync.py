"""A synchronous client, for programs without asyncio. Its event loop runs in a thread of its own."""

from __future__ import annotations

import asyncio
import ssl as _ssl
import threading
from collections.abc import Awaitable, Coroutine, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Generic, TypeVar

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from . import client as _async
from .hello import CLIENT_SETTINGS, Settings
from .interceptor import Interceptor
from .kinds import BidiCall, ClientStreamCall, ServerStreamCall, UnaryCall
from .metadata import Metadata
from .options import Credentials
from .retry import RetryPolicy
from .stub import Stub as _AsyncStub

T = TypeVar("T")


class Loop:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="parley", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine in the loop, and returns its result. An interrupt cancels it."""
        if not self._loop.is_running():
            work.close()
            raise RuntimeError("the client is closed")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _await(work: Awaitable[T]) -> T:
    return await work


class Client:
    """
    A client whose calls block. Several threads can use it. Its options are those of parley.Client.

    Use it as a context manager, or call close.
    """

    def __init__(
        self,
        url: str | Sequence[str],
        *,
        credentials: Credentials | None = None,
        headers: Mapping[str, str] | None = None,
        ssl: _ssl.SSLContext | None = None,
        codec: str = "proto",
        compression: str = "",
        wait_for_ready: bool = False,
        settings: Settings = CLIENT_SETTINGS,
        call_interceptors: Sequence[Interceptor] = (),
        handler_interceptors: Sequence[Interceptor] = (),
        retry: RetryPolicy | None = None,
    ) -> None:
        self._client = _async.Client(
            url,
            credentials=credentials,
            headers=headers,
            ssl=ssl,
            codec=codec,
            compression=compression,
            wait_for_ready=wait_for_ready,
            settings=settings,
            call_interceptors=call_interceptors,
            handler_interceptors=handler_interceptors,
            retry=retry,
        )
        self._loop: Loop | None = Loop()

    def _running(self) -> Loop:
        if self._loop is None:
            raise RuntimeError("the client is closed")
        return self._loop

    def stub(self, service: ServiceDescriptor) -> Stub:
        """Returns a stub of a service, with a method for each of its methods."""
        return Stub(self._client.stub(service), self._running())

    def serve(self, service: ServiceDescriptor, implementation: object) -> None:
        """Serves a service to the server, as parley.Client does: the handlers are coroutines, which run in the thread."""
        self._client.serve(service, implementation)

    def connect(self) -> None:
        """Connects now. It raises RpcError if that fails."""
        self._running().run(self._client.connect())

    def close(self, grace: float = 0) -> None:
        """Closes the connection. Open calls have a grace time in seconds to finish."""
        loop, self._loop = self._loop, None
        if loop:
            loop.run(self._client.close(grace))
            loop.stop()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


class Stub:
    """Calls the methods of a service. A unary method returns its response; the others return a call."""

    def __init__(self, stub: _AsyncStub, loop: Loop) -> None:
        self._stub = stub
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._stub, name)

        def call(*request: Message, **options: Any) -> Any:
            async def begin() -> Any:
                return method(*request, **options)

            begun = self._loop.run(begin())
            return self._loop.run(_await(begun)) if isinstance(begun, UnaryCall) else Call(begun, self._loop)

        return call


Req = TypeVar("Req", bound=Message)
Res = TypeVar("Res", bound=Message)


class Call(Generic[Req, Res]):
    """
    A call with a stream in one or both directions. Iterate over its responses; leaving the loop cancels the call.

    send, end and finish are for kinds with a stream of requests.
    """

    def __init__(self, call: ServerStreamCall[Req, Res] | ClientStreamCall[Req, Res] | BidiCall[Req, Res], loop: Loop) -> None:
        self._call: Any = call
        self._loop = loop

    def header(self) -> Metadata:
        """Returns the metadata that came before the first message; it waits for that."""
        header: Metadata = self._loop.run(self._call.header())
        return header

    @property
    def trailers(self) -> Metadata:
        """The metadata that came with the status."""
        trailers: Metadata = self._call.trailers
        return trailers

    def send(self, request: Req) -> bool:
        """Sends a request. It returns False if the server wants no more."""
        wanted: bool = self._loop.run(self._call.send(request))
        return wanted

    def end(self) -> None:
        """Says that no request follows."""
        self._loop.run(self._call.end())

    def finish(self) -> Res:
        """Ends the requests, and returns the one response."""
        response: Res = self._loop.run(self._call.finish())
        return response

    def receive(self) -> Res | None:
        """Returns the next response, None at the end."""
        response: Res | None = self._loop.run(self._call.receive())
        return response

    def cancel(self) -> None:
        """Cancels the call, unless it is over."""

        async def cancel() -> None:
            self._call.cancel()

        self._loop.run(cancel())

    def __iter__(self) -> Iterator[Res]:
        try:
            while (response := self.receive()) is not None:
                yield response
        finally:
            self.cancel()

    def __enter__(self) -> Call[Req, Res]:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None) -> None:
        self.cancel()
