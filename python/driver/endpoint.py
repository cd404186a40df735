"""A client under test."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import Any

from conformance.v1 import service_pb2
from conformance.v1.driver_pb2 import Call, CallEnd, Connect, Report
from conformance.v1.driver_pb2 import Settings as Requested
from parley import Client, Code, Metadata, RpcError, Settings
from parley.hello import CLIENT_SETTINGS

from .pairs import from_pairs, to_pairs
from .report import report
from .service import WAITING, Service, Waiter

SERVICE = service_pb2.DESCRIPTOR.services_by_name["ConformanceService"]
DRAIN_TIMEOUT = 10.0  # seconds


def to_settings(wanted: Requested) -> Settings:
    """Returns what HELLO is to say. 0 means the default of the client, but for resume_window."""
    given = {field.name: value for field, value in wanted.ListFields()}
    return replace(CLIENT_SETTINGS, **{"resume_window": 0, **given})


class Endpoint:
    """A client, and the calls that it makes."""

    def __init__(self, id: int, connect: Connect) -> None:
        headers = {"Authorization": f"Bearer {connect.bearer}"} if connect.bearer else None
        self._id = id
        self._client = Client(connect.url, headers=headers, settings=to_settings(connect.settings))
        self._stub = self._client.stub(SERVICE)
        self._calls: dict[int, OpenCall] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        Service(id).serve_on(self._client)
        self._client.serve(WAITING, Waiter())
        self._start(self._connect())

    def _start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self) -> None:
        with contextlib.suppress(RpcError):  # the calls report why it fails
            await self._client.connect()

    def call(self, requested: Call) -> None:
        call = self._calls[requested.call] = OpenCall(requested, getattr(self._stub, requested.method))
        self._start(self._run(call))

    async def _run(self, call: OpenCall) -> None:
        report(self._id, Report(call_end=await call.run()))

    def cancel(self, call: int) -> None:
        self._calls[call].cancel()

    def half_close(self, call: int) -> None:
        self._calls[call].half_closed.set()

    def drain(self) -> None:
        self._start(self._client.close(DRAIN_TIMEOUT))

    async def close(self) -> None:
        await self._client.close()
        for call in self._calls.values():
            call.half_closed.set()  # a call that is over sends no more
        await asyncio.gather(*self._tasks)


class OpenCall:
    """A call in progress."""

    def __init__(self, requested: Call, method: Any) -> None:
        self._requested = requested
        self._method = method
        self._call: Any = None
        self.half_closed = asyncio.Event()
        if not requested.hold:
            self.half_closed.set()

    def cancel(self) -> None:
        self._call.cancel()
        self.half_closed.set()

    async def run(self) -> CallEnd:
        """Makes the call, and returns what it has come to."""
        end = CallEnd(call=self._requested.call)
        try:
            await self._make(end)
        except RpcError as e:
            end.status, end.message = e.code, e.message
            end.details.extend(detail.SerializeToString(deterministic=True) for detail in e.packed_details)
        if self._call:
            end.header.extend(to_pairs(await self._header()))
            end.trailer.extend(to_pairs(self._call.trailers))
        return end

    async def _make(self, end: CallEnd) -> None:
        wanted = self._requested
        one_request = wanted.method in ("Unary", "Download")
        self._call = self._method(
            *wanted.requests if one_request else (),
            timeout=wanted.timeout_ms / 1000 or None,
            metadata=from_pairs(wanted.metadata),
            codec=wanted.codec or None,
            compression=wanted.compression or None,
        )
        if wanted.method == "Unary":
            end.responses.append(await self._call)
            return
        if wanted.method == "Download":
            await self._receive(end)
            return
        sending = asyncio.ensure_future(self._send())
        try:
            if wanted.method == "Upload":
                await self._sent_or_failed(sending)
                end.responses.append(await self._call.finish())
            else:
                await self._receive(end)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)  # receiving fails too

    async def _sent_or_failed(self, sending: asyncio.Future[None]) -> None:
        """Waits until the requests are sent. It raises the status of a call that fails before."""
        header = asyncio.ensure_future(self._call.header())
        try:
            await asyncio.wait((sending, header), return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                await header
            await sending
        finally:
            header.cancel()
            await asyncio.gather(header, return_exceptions=True)

    async def _receive(self, end: CallEnd) -> None:
        async for response in self._call:
            end.responses.append(response)

    async def _send(self) -> None:
        for request in self._requested.requests:
            await self._call.send(request)
        await self.half_closed.wait()
        if self._requested.method == "Bidi":
            await self._call.end()

    async def _header(self) -> Metadata:
        try:
            return await asyncio.wait_for(self._call.header(), 1)
        except RpcError:
            return Metadata()
