"""The policy of retries."""

from __future__ import annotations

import asyncio
import unittest
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.duration_pb2 import Duration
from parley import CallStream, Code, Handler, RetryPolicy, RpcError, ServerContext, retry_after
from parley.retry import Retries
from parley.stub import MethodStub
from ping_pb2 import CountUpRequest, CountUpResponse, PingRequest, PingResponse

from .kit import PING, ServerTest

RELAY = {"relay": "1"}  # the server makes the call back to its caller
QUICK = RetryPolicy(initial_backoff=0.001, max_backoff=0.002)
UNAVAILABLE = RpcError(Code.UNAVAILABLE, "busy")


def asked(seconds: float) -> RpcError:
    """Returns an error that asks to call again after a time."""
    delay = Duration()
    delay.FromNanoseconds(int(seconds * 1e9))
    data = delay.SerializeToString()
    detail = Packed(type_url="type.googleapis.com/google.rpc.RetryInfo", value=bytes((10, len(data))) + data)
    return RpcError(Code.UNAVAILABLE, "later", [detail])


class Failing:
    """Serves calls that fail with the errors of a list, and then succeed."""

    def __init__(self, *errors: RpcError) -> None:
        self.errors = list(errors)
        self.attempts = 0

    def attempt(self, context: ServerContext) -> None:
        self.attempts += 1
        context.header.add("x-attempt", str(self.attempts))
        context.trailers.add("x-attempt", str(self.attempts))
        if self.errors:
            raise self.errors.pop(0)

    async def Ping(self, request: Any, context: ServerContext) -> Any:
        self.attempt(context)
        return PingResponse(text=request.text)

    async def CountUp(self, request: Any, context: ServerContext) -> AsyncIterator[Any]:
        if request.to > 1:
            yield CountUpResponse(number=1)
        self.attempt(context)
        yield CountUpResponse(number=request.to)


def changing(method: Any) -> MethodStub:
    """Returns a method of which the .proto does not say that a second call does no harm."""
    return MethodStub(replace(method.method, idempotent=False), method._open, method._options, method._retries)


class Calls(ServerTest):
    def serving(self, *errors: RpcError, **options: Any) -> tuple[Failing, Any]:
        """Returns a service that fails, and a stub that calls it."""
        failing, client = Failing(*errors), self.client("", **{"retry": QUICK, **options})
        client.serve(PING, failing)
        return failing, client.stub(PING)

    async def test_a_call_is_made_until_it_succeeds(self) -> None:
        begun: list[str] = []

        def once(next: Handler) -> Handler:
            async def handle(stream: CallStream) -> None:
                begun.append(stream.method)
                await next(stream)

            return handle

        for interceptors in ([], [once]):
            failing, stub = self.serving(UNAVAILABLE, UNAVAILABLE, call_interceptors=interceptors)
            call = stub.Ping(PingRequest(text="hi"), metadata=RELAY)  # the .proto says that it does no harm
            self.assertEqual((await call).text, "hi")
            header, trailers = await call.header(), call.trailers
            self.assertEqual((failing.attempts, header.get("x-attempt"), trailers.get("x-attempt")), (3, "3", "3"))
        self.assertEqual(len(begun), 1)
        failing, stub = self.serving(UNAVAILABLE)
        numbers = [r.number async for r in stub.CountUp(CountUpRequest(to=1), metadata=RELAY)]
        self.assertEqual((numbers, failing.attempts), ([1], 2))

    async def test_other_calls_are_made_once(self) -> None:
        cases: tuple[tuple[RpcError, dict[str, Any]], ...] = (
            (UNAVAILABLE, {}),  # a second call may do harm
            (RpcError(Code.NOT_FOUND), {"retryable": True}),
            (asked(60), {"retryable": True}),  # later than the policy waits
            (asked(30), {"retryable": True, "timeout": 20}),
        )
        for error, options in cases:
            failing, stub = self.serving(error, retry=RetryPolicy(max_backoff=40))
            with self.assertRaises(RpcError):
                await changing(stub.Ping)(PingRequest(), metadata=RELAY, **options)
            self.assertEqual(failing.attempts, 1)
        failing, stub = self.serving(UNAVAILABLE)
        with self.assertRaises(RpcError):  # a response has come
            async for _ in stub.CountUp(CountUpRequest(to=2), metadata=RELAY):
                pass
        self.assertEqual(failing.attempts, 1)

    async def test_attempts_have_a_number(self) -> None:
        failing, stub = self.serving(*[UNAVAILABLE] * 9)
        with self.assertRaisesRegex(RpcError, "busy"):
            await stub.Ping(PingRequest(), metadata=RELAY)
        self.assertEqual(failing.attempts, 4)

    async def test_cancel_ends_the_wait_for_the_next_attempt(self) -> None:
        policy = RetryPolicy(initial_backoff=100, max_backoff=100)
        failing, stub = self.serving(asked(50), retry=policy)
        call = stub.Ping(PingRequest(), metadata=RELAY)
        task = asyncio.ensure_future(call)
        await self.until(lambda: bool(call._begun and call._begun._repeating.locked()), "the first attempt has failed")
        call.cancel()
        with self.assertRaises(RpcError) as caught:
            await task
        self.assertEqual((caught.exception.code, failing.attempts), (Code.CANCELED, 1))

    async def test_a_call_is_made_again_until_there_is_a_connection(self) -> None:
        proxy = await self.proxy("ws://127.0.0.1:1/rpc")  # nothing listens there
        policy = RetryPolicy(initial_backoff=0.05, max_backoff=0.05, max_attempts=1_000, budget_tokens=2_000)
        ping = self.client(proxy.url, retry=policy).stub(PING)
        task = asyncio.ensure_future(ping.Ping(PingRequest(text="hi")))
        await self.until(lambda: proxy.connections > 1, "the client dials again")
        proxy.target = self.url
        self.assertEqual((await task).text, "hi")


class Policies(unittest.TestCase):
    def test_a_budget_bounds_the_retries_of_a_client(self) -> None:
        retries = Retries(RetryPolicy(budget_tokens=4, budget_ratio=0.5))
        self.assertIsNotNone(retries.failed(UNAVAILABLE, 1))
        self.assertIsNone(retries.failed(UNAVAILABLE, 1))
        retries.ended(UNAVAILABLE)
        for _ in range(4):
            retries.ended(None)
        self.assertIsNotNone(retries.failed(UNAVAILABLE, 1))

    def test_delays_grow_up_to_a_bound_behind_the_time_that_is_asked_for(self) -> None:
        policy = RetryPolicy(initial_backoff=1, max_backoff=3, max_attempts=1_000, budget_tokens=1e9)
        retries = Retries(policy)
        for failures, bound in ((1, 1), (2, 2), (3, 3), (900, 3)):
            delays = [retries.failed(asked(2), failures) or 0 for _ in range(300)]
            self.assertTrue(2 <= min(delays) < 2 + bound / 4, min(delays))
            self.assertTrue(2 + bound * 3 / 4 < max(delays) <= 2 + bound, max(delays))

    def test_a_wrong_policy_is_refused(self) -> None:
        cases: tuple[dict[str, Any], ...] = (
            {"codes": []},
            {"codes": [Code.OK]},
            {"max_attempts": 1},
            {"initial_backoff": -1},
            {"max_backoff": 0},
            {"multiplier": 0.5},
            {"budget_tokens": 0},
            {"budget_ratio": -1},
        )
        for wrong in cases:
            with self.assertRaisesRegex(ValueError, "|".join(wrong)):
                RetryPolicy(**wrong)

    def test_the_time_to_wait_is_in_the_details(self) -> None:
        self.assertEqual(retry_after(asked(1.5)), 1.5)
        self.assertEqual(retry_after(asked(0)), 0)
        self.assertIsNone(retry_after(asked(-1)))
        self.assertIsNone(retry_after(UNAVAILABLE))
        for value in (b"", b"\x0a", b"\x0a\x05\x08", b"\x0a\x01\xff", b"\x12\x00"):
            detail = Packed(type_url="type.googleapis.com/google.rpc.RetryInfo", value=value)
            self.assertIsNone(retry_after(RpcError(Code.UNAVAILABLE, "", [detail])), value)
