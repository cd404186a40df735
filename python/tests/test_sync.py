"""The synchronous facade."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import parley.sync
from parley import CallStream, Code, Handler, RetryPolicy, RpcError
from ping_pb2 import CountUpRequest, CumSumRequest, PingRequest, SumRequest

from .kit import PING, ServerTest


class Sync(ServerTest):
    async def test_all_four_kinds_are_called(self) -> None:
        await self.in_thread(self.call_all)

    async def in_thread(self, work: Callable[[], None]) -> None:
        """Runs a test outside of the event loop."""
        await asyncio.to_thread(work)

    def call_all(self) -> None:
        with parley.sync.Client(self.url) as client:
            client.connect()
            stub = client.stub(PING)
            self.assertEqual(stub.Ping(PingRequest(text="hi")).text, "hi")
            self.assertEqual([r.number for r in stub.CountUp(CountUpRequest(to=4))], [1, 2, 3, 4])
            with stub.Sum() as sum:
                for number in range(5):
                    self.assertTrue(sum.send(SumRequest(number=number)))
                self.assertEqual(sum.finish().sum, 10)
            with stub.CumSum(metadata={"x-a": "1"}) as sums:
                sums.send(CumSumRequest(number=5))
                self.assertEqual(sums.receive().sum, 5)
                self.assertEqual(sums.header().get("x-a"), "1")
                sums.end()
                self.assertIsNone(sums.receive())
                self.assertEqual(sums.trailers.get("x-a"), "1")

    async def test_interceptors_and_retries_are_those_of_asyncio(self) -> None:
        await self.in_thread(self.call_through_interceptors)

    def call_through_interceptors(self) -> None:
        threads = set()

        def interceptor(next: Handler) -> Handler:
            async def handle(stream: CallStream) -> None:
                threads.add(threading.current_thread().name)
                await next(stream)

            return handle

        with parley.sync.Client(self.url, call_interceptors=[interceptor], retry=RetryPolicy()) as client:
            stub = client.stub(PING)
            self.assertEqual(stub.Ping(PingRequest(text="hi"), retryable=True).text, "hi")
            self.assertEqual([r.number for r in stub.CountUp(CountUpRequest(to=2))], [1, 2])
        self.assertEqual(threads, {"parley"})

    async def test_errors_deadlines_and_leaving_a_loop(self) -> None:
        await self.in_thread(self.fail_in_all_ways)

    def fail_in_all_ways(self) -> None:
        with parley.sync.Client(self.url) as client:
            stub = client.stub(PING)
            with self.assertRaises(RpcError) as caught:
                stub.Ping(PingRequest(fail_code=5))
            self.assertEqual(caught.exception.code, Code.NOT_FOUND)
            with self.assertRaises(RpcError) as caught:
                stub.Ping(PingRequest(delay_ms=10_000), timeout=0.05)
            self.assertEqual(caught.exception.code, Code.DEADLINE_EXCEEDED)
            with self.assertRaises(TypeError):
                stub.Ping(SumRequest())
            call = stub.CountUp(CountUpRequest(to=10**6, delay_ms=1))
            for response in call:
                if response.number == 3:
                    break
            with self.assertRaises(RpcError) as caught:
                call.receive()
            self.assertEqual(caught.exception.code, Code.CANCELED)
        with self.assertRaises(RuntimeError):
            stub.Ping(PingRequest())
        self.assertNotIn("parley", [thread.name for thread in threading.enumerate()])
