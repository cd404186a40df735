"""Calls that the server makes, which the client serves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

from parley import Code, RpcError, ServerContext
from ping_pb2 import (
    CountUpRequest,
    CountUpResponse,
    CumSumRequest,
    CumSumResponse,
    PingFailure,
    PingRequest,
    PingResponse,
    SumRequest,
    SumResponse,
)

from .kit import PING, ServerTest

RELAY = {"relay": "1"}  # the server makes the call back to its caller


class Pinger:
    """Serves PingService."""

    def __init__(self) -> None:
        self.ended: list[str] = []
        self.seen: list[ServerContext] = []

    async def Ping(self, request: Any, context: ServerContext) -> Any:
        self.seen.append(context)
        if request.fail_code == 2:
            raise KeyError("a secret")
        if request.fail_code:
            raise RpcError(Code(request.fail_code), "as asked", [PingFailure(text=request.text)])
        for key, value in context.metadata:
            if key.startswith("x-"):
                context.header.add(key, value)
                context.trailers.add(key, value)
        try:
            await asyncio.sleep(request.delay_ms / 1000)
        finally:
            self.ended.append("Ping")
        return PingResponse(text=request.text)

    async def CountUp(self, request: Any, context: ServerContext) -> AsyncIterator[Any]:
        try:
            for number in range(1, request.to + 1):
                await asyncio.sleep(request.delay_ms / 1000)
                yield CountUpResponse(number=number)
        finally:
            self.ended.append("CountUp")

    async def Sum(self, requests: AsyncIterator[Any], context: ServerContext) -> Any:
        numbers = [r.number async for r in requests]
        return SumResponse(sum=sum(numbers), count=len(numbers))

    async def CumSum(self, requests: AsyncIterator[Any], context: ServerContext) -> AsyncIterator[Any]:
        total = 0
        async for request in requests:
            total += request.number
            yield CumSumResponse(sum=total)


class Serving(ServerTest):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.pinger = Pinger()
        self.serving = self.client()
        self.serving.serve(PING, self.pinger)
        self.calls = self.serving.stub(PING)

    async def test_all_four_kinds_are_served(self) -> None:
        calls = self.calls
        self.assertEqual((await calls.Ping(PingRequest(text="hi"), metadata=RELAY)).text, "hi")
        numbers = [r.number async for r in calls.CountUp(CountUpRequest(to=2_000), metadata=RELAY)]
        self.assertEqual(numbers, list(range(1, 2_001)))
        async with calls.Sum(metadata=RELAY) as sum:
            for number in range(100):
                await sum.send(SumRequest(number=number))
            response = await sum.finish()
        self.assertEqual((response.sum, response.count), (4950, 100))
        async with calls.CumSum(metadata=RELAY) as sums:
            for number in range(1, 4):
                await sums.send(CumSumRequest(number=1))
                self.assertEqual((await sums.receive()).sum, number)
            await sums.end()
            self.assertIsNone(await sums.receive())
        self.assertEqual(len(self.pinger.seen), 1)

    async def test_large_messages_and_codecs_are_served(self) -> None:
        text = "0123456789" * 200_000
        for options in ({}, {"codec": "json"}, {"compression": "gzip"}):
            response = await self.calls.Ping(PingRequest(text=text), metadata=RELAY, **options)
            self.assertEqual(response.text, text)

    async def test_metadata_and_deadlines_reach_the_handler(self) -> None:
        call = self.calls.Ping(PingRequest(), metadata={**RELAY, "x-a": "1"}, timeout=30)
        await call
        self.assertEqual(((await call.header()).get("x-a"), call.trailers.get("x-a")), ("1", "1"))
        context = self.pinger.seen[0]
        self.assertEqual(context.method, "parley.ping.v1.PingService/Ping")
        self.assertTrue(20 < (context.time_left or 0) < 30)

    async def test_errors_of_handlers_reach_the_caller(self) -> None:
        with self.assertRaises(RpcError) as caught:
            await self.calls.Ping(PingRequest(text="hi", fail_code=5), metadata=RELAY)
        self.assertEqual((caught.exception.code, caught.exception.message), (Code.NOT_FOUND, "as asked"))
        self.assertEqual(caught.exception.details(PingFailure)[0].text, "hi")

    async def test_a_handler_that_fails_tells_nothing_of_its_failure(self) -> None:
        with self.assertLogs("parley", logging.ERROR), self.assertRaises(RpcError) as caught:
            await self.calls.Ping(PingRequest(fail_code=2), metadata=RELAY)
        self.assertEqual(caught.exception.code, Code.INTERNAL)
        self.assertNotIn("secret", caught.exception.message)

    async def test_what_the_caller_does_not_accept_fails_the_call_with_a_status(self) -> None:
        class Large:
            async def Ping(self, request: Any, context: ServerContext) -> Any:
                context.header.add("x-large-bin", bytes(request.fail_code << 10))
                return PingResponse(text="x" * (request.delay_ms << 10))

        client = self.client()
        client.serve(PING, Large())
        for request, what in ((PingRequest(delay_ms=8 << 10), "a response takes"), (PingRequest(fail_code=64), "the header takes")):
            with self.assertRaises(RpcError) as caught:
                await client.stub(PING).Ping(request, metadata=RELAY)
            self.assertEqual(caught.exception.code, Code.RESOURCE_EXHAUSTED)
            self.assertIn(what, caught.exception.message)

    async def test_a_deadline_ends_the_handler(self) -> None:
        with self.assertRaises(RpcError) as caught:
            await self.calls.Ping(PingRequest(delay_ms=60_000), metadata=RELAY, timeout=0.2)
        self.assertEqual(caught.exception.code, Code.DEADLINE_EXCEEDED)
        await self.until(lambda: self.pinger.ended == ["Ping"], "the handler has ended")

    async def test_cancellation_ends_the_handler(self) -> None:
        async for response in self.calls.CountUp(CountUpRequest(to=10**6, delay_ms=1), metadata=RELAY):
            if response.number == 3:
                break
        await self.until(lambda: self.pinger.ended == ["CountUp"], "the handler has ended")

    async def test_methods_that_are_not_served_are_unimplemented(self) -> None:
        for stub in (self.stub(),):
            with self.assertRaises(RpcError) as caught:
                await stub.Ping(PingRequest(), metadata=RELAY)
            self.assertEqual(caught.exception.code, Code.UNIMPLEMENTED)

    async def test_an_object_without_the_methods_of_a_service_is_no_implementation(self) -> None:
        with self.assertRaisesRegex(ValueError, "define Ping"):
            self.serving.serve(PING, object())

    async def test_a_handler_that_returns_the_wrong_message_fails_its_call(self) -> None:
        class Wrong:
            async def Ping(self, request: Any, context: ServerContext) -> str:
                return "hi"

        client = self.client()
        client.serve(PING, Wrong())
        with self.assertLogs("parley", logging.ERROR), self.assertRaises(RpcError) as caught:
            await client.stub(PING).Ping(PingRequest(), metadata=RELAY)
        self.assertEqual(caught.exception.code, Code.INTERNAL)

    async def test_an_early_answer_stops_the_sender(self) -> None:
        class Hasty:
            async def Sum(self, requests: AsyncIterator[Any], context: ServerContext) -> Any:
                async for request in requests:
                    return SumResponse(sum=request.number, count=1)

        client = self.client()
        client.serve(PING, Hasty())
        async with client.stub(PING).Sum(metadata=RELAY) as sum:
            while await sum.send(SumRequest(number=7)):
                await asyncio.sleep(0)
            self.assertFalse(await sum.send(SumRequest(number=8)))
            self.assertEqual((await sum.finish()).sum, 7)

    async def test_served_calls_survive_a_lost_link(self) -> None:
        proxy = await self.proxy()
        client = self.client(proxy.url)
        client.serve(PING, self.pinger)
        got = []
        async for response in client.stub(PING).CountUp(CountUpRequest(to=300, delay_ms=1), metadata=RELAY):
            got.append(response.number)
            if response.number in (50, 150):
                proxy.cut()
        self.assertEqual(got, list(range(1, 301)))
        self.assertGreater(proxy.connections, 1)
