"""What the client under test serves: ConformanceService, and the method a/b of the session vectors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from conformance.v1.driver_pb2 import HandlerEnd, Report
from conformance.v1.service_parley import ConformanceServiceBase
from conformance.v1.service_pb2 import THEN_CRASH, THEN_WAIT, Result, Work
from google.protobuf import descriptor_pool
from google.protobuf.any_pb2 import Any
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.empty_pb2 import DESCRIPTOR as EMPTY
from google.protobuf.empty_pb2 import Empty
from parley import Code, RpcError, ServerContext

from .pairs import add_pairs, to_pairs
from .report import report


class Service(ConformanceServiceBase):
    """The service under test. Its requests say what it does."""

    def __init__(self, endpoint: int) -> None:
        self._endpoint = endpoint

    async def Unary(self, request: Work, context: ServerContext) -> Result:
        await self._start(request, context)
        _finish(request)
        return _result(request, context, request.text)

    async def Upload(self, requests: AsyncIterator[Work], context: ServerContext) -> Result:
        first: Work | None = None
        texts = ""
        async for work in requests:
            if first is None:
                first = work
                await self._start(work, context)
            texts += work.text
        _finish(first)
        return _result(first or Work(), context, texts)

    async def Download(self, request: Work, context: ServerContext) -> AsyncIterator[Result]:
        await self._start(request, context)
        for _ in range(request.results):
            yield _result(request, context, request.text)
        _finish(request)

    async def Bidi(self, requests: AsyncIterator[Work], context: ServerContext) -> AsyncIterator[Result]:
        first: Work | None = None
        async for work in requests:
            if first is None:
                first = work
                await self._start(work, context)
            yield _result(first, context, work.text)
        _finish(first)

    async def _start(self, work: Work, context: ServerContext) -> None:
        """Does what the request says before there is a Result."""
        if work.then == THEN_CRASH:
            raise RuntimeError("swordfish")
        if work.then == THEN_WAIT:
            try:
                await asyncio.Event().wait()
            finally:
                method = context.method.rpartition("/")[2]
                report(self._endpoint, Report(handler_end=HandlerEnd(method=method)))
        add_pairs(context.header, work.header)
        add_pairs(context.trailers, work.trailer)


def _result(work: Work, context: ServerContext, text: str) -> Result:
    return Result(text=text, padding=bytes(work.size), metadata=to_pairs(context.metadata) if work.show else [])


def _finish(work: Work | None) -> None:
    """Ends a call with the status that its request asks for."""
    if work and work.status:
        raise RpcError(Code(work.status), work.message, [Any.FromString(detail) for detail in work.details])


class Waiter:
    """Serves a/b: it reads nothing, sends nothing, and waits until the call is over."""

    async def b(self, requests: AsyncIterator[Empty], context: ServerContext) -> AsyncIterator[Empty]:
        await asyncio.Event().wait()
        yield Empty()


def waiting_service() -> ServiceDescriptor:
    """Returns the descriptor of the service a, which has no .proto file."""
    file = FileDescriptorProto(name="a.proto", syntax="proto3", dependency=[EMPTY.name])
    name = "." + Empty.DESCRIPTOR.full_name
    file.service.add(name="a").method.add(
        name="b", input_type=name, output_type=name, client_streaming=True, server_streaming=True
    )
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return pool.FindServiceByName("a")


WAITING = waiting_service()
