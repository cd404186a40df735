"""Stubs: a method of an object for each method of a service."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from .attempts import Attempts
from .call import CallOptions, Exchange
from .codec import find_codec
from .conversation import Conversation
from .intercepted import CallerStream, Intercepted
from .kinds import BidiCall, ClientStreamCall, ServerStreamCall, UnaryCall
from .metadata import Metadata, MetadataLike
from .method import Kind, Method, method_of
from .options import Options, check_names
from .retry import Retries
from .stream import Stream


class Open(Protocol):
    """Opens a stream on a connection."""

    def __call__(self, make_header: Any, *, wait_for_ready: bool) -> Stream: ...


class Stub:
    """
    Calls the methods of a service: stub.Ping(request). The methods come from the descriptor of the service.

    Every method takes these options: timeout in seconds, metadata, codec ("proto" or "json"), compression ("gzip" or
    ""), wait_for_ready, and retryable, which says that a second call does no harm.
    """

    def __init__(self, service: ServiceDescriptor, open: Open, options: Options, retries: Retries | None) -> None:
        self._name = service.full_name
        self._methods = {m.name: MethodStub(method_of(m), open, options, retries) for m in service.methods}

    def __getattr__(self, name: str) -> Any:
        method = self.__dict__.get("_methods", {}).get(name)
        if method is None:
            raise AttributeError(f"{self.__dict__.get('_name')} has no method {name}")
        return method

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._methods]


class MethodStub:
    """Calls one method."""

    def __init__(self, method: Method, open: Open, options: Options, retries: Retries | None) -> None:
        self.method = method
        self._open = open
        self._options = options
        self._retries = retries

    def __call__(
        self,
        *request: Message,
        timeout: float | None = None,
        metadata: MetadataLike = (),
        codec: str | None = None,
        compression: str | None = None,
        wait_for_ready: bool | None = None,
        retryable: bool = False,
    ) -> Any:
        """Returns the call. It takes the request if the kind has one."""
        options, method = self._options, self.method
        codec = options.codec if codec is None else codec
        compression = options.compression if compression is None else compression
        check_names(codec, compression)
        waits = options.wait_for_ready if wait_for_ready is None else wait_for_ready
        chosen = CallOptions(find_codec(codec), compression, timeout, Metadata(metadata), waits)
        deadline = None if timeout is None else asyncio.get_running_loop().time() + timeout
        if len(request) != method.kind.one_request:
            raise TypeError(f"{method.path} is {method.kind.value}: it takes {int(method.kind.one_request)} request")
        if request and not isinstance(request[0], method.request):
            want, got = method.request.DESCRIPTOR.full_name, type(request[0]).__name__
            raise TypeError(f"{method.path} takes a {want}, not {got}")

        retries = self._retries if retryable or method.idempotent else None

        def attempt() -> Exchange[Any, Any]:
            return Exchange(lambda header, wait: self._open(header, wait_for_ready=wait), method, chosen, deadline)

        def begin() -> Conversation[Any, Any]:
            if method.kind.one_request:
                return Attempts(attempt, retries, deadline)
            return attempt()

        def start() -> Conversation[Any, Any]:
            if not options.call_interceptors:
                return begin()
            stream = CallerStream(method.path, chosen.metadata, deadline)
            return Intercepted(options.call_interceptors, stream, begin)

        match method.kind:
            case Kind.UNARY:
                return UnaryCall(start, request[0])
            case Kind.SERVER_STREAM:
                return ServerStreamCall(start, request[0])
            case Kind.CLIENT_STREAM:
                return ClientStreamCall(start)
            case _:
                return BidiCall(start)
