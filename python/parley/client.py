"""The client: makes calls, and serves those of the server, over one connection."""

from __future__ import annotations

import asyncio
import ssl as _ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from types import TracebackType

from google.protobuf.descriptor import ServiceDescriptor

from .connection import Connection
from .hello import CLIENT_SETTINGS, Settings
from .interceptor import Interceptor
from .options import Credentials, Options
from .retry import Retries, RetryPolicy
from .servercall import serve_stream
from .service import Services, Tasks
from .state import State
from .stream import Stream
from .stub import Stub


class Client:
    """
    A client of one server, or of several that are equivalent: then url is a list, and the first that answers is used.

    It connects at the first call, and again when the connection is lost.

    Use it as an asynchronous context manager, or call close. One event loop uses a client.
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
        self._options = Options(
            url,
            credentials,
            dict(headers or {}),
            ssl,
            codec,
            compression,
            wait_for_ready,
            settings,
            call_interceptors,
            handler_interceptors,
            retry,
        )
        self._options.check()
        self._retries = Retries(retry) if retry else None
        self._services = Services(handler_interceptors)
        self._tasks = Tasks(2 * settings.max_streams)  # as many again may end after their calls
        self._connection = Connection(self._options, self._accept)

    def stub(self, service: ServiceDescriptor) -> Stub:
        """Returns a stub of a service, with a method for each of its methods."""
        return Stub(service, self._connection.open, self._options, self._retries)

    def serve(self, service: ServiceDescriptor, implementation: object) -> None:
        """
        Serves the methods of a service to the server, by the methods of an object that have the same names.

        A method gets the request, or an asynchronous iterator over requests, and a ServerContext. It is a coroutine that
        returns the response, or an asynchronous generator that yields responses. It raises RpcError to fail the call.
        """
        self._services.add(service, implementation)

    async def connect(self) -> None:
        """Connects now. It raises RpcError if that fails; a client that is not refused goes on trying."""
        await self._connection.connect()

    @property
    def state(self) -> State:
        return self._connection.watch.state

    def states(self) -> AsyncIterator[State]:
        """Yields the state of the connection, and each one that follows, until the client is closed."""
        return self._connection.watch.follow()

    async def close(self, grace: float = 0) -> None:
        """Closes the connection. Open calls have a grace time in seconds to finish; then they fail with CANCELED."""
        await self._connection.close(grace)
        await self._tasks.stop()

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None) -> None:
        await asyncio.shield(self.close())

    def _accept(self, stream: Stream, header: bytes) -> None:
        serve_stream(self._services, self._tasks, stream, header)
