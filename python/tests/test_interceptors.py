"""Interceptors, around calls and around what is served."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator
from typing import Any

from google.protobuf.message import Message
from parley import CallStream, Code, Handler, Interceptor, RpcError, ServerContext, WrappedStream
from ping_pb2 import CountUpRequest, CountUpResponse, CumSumRequest, PingRequest, PingResponse, SumRequest

from .kit import PING, ServerTest

RELAY = {"relay": "1"}  # the server makes the call back to its caller
USER = contextvars.ContextVar("USER", default="")


class Seen(WrappedStream):
    """Notes messages."""

    def __init__(self, inner: CallStream, notes: list[str]) -> None:
        super().__init__(inner)
        self.notes = notes

    async def send(self, message: Message) -> bool:
        self.notes.append("send")
        return await super().send(message)

    async def receive(self) -> Message | None:
        message = await super().receive()
        self.notes.append("receive" if message else "end")
        return message


def noting(name: str, notes: list[str]) -> Interceptor:
    """Returns an interceptor that notes where a call begins, how it ends, and its messages."""

    def interceptor(next: Handler) -> Handler:
        async def handle(stream: CallStream) -> None:
            notes.append(f"{name} {stream.method.rpartition('/')[2]}")
            try:
                await next(Seen(stream, notes))
            except BaseException as e:
                notes.append(f"{name} {e.code.name if isinstance(e, RpcError) else type(e).__name__}")
                raise
            notes.append(f"{name} OK")

        return handle

    return interceptor


class Pinger:
    """Serves parts of PingService."""

    def __init__(self) -> None:
        self.users: list[str] = []

    async def Ping(self, request: Any, context: ServerContext) -> Any:
        self.users.append(USER.get())
        await asyncio.sleep(request.delay_ms / 1000)
        return PingResponse(text=request.text)

    async def CountUp(self, request: Any, context: ServerContext) -> AsyncIterator[Any]:
        for number in range(request.to):
            yield CountUpResponse(number=number)


class AroundCalls(ServerTest):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.notes: list[str] = []

    async def tasks_end(self) -> None:
        """Waits until no interceptor runs any more."""

        def running() -> list[str]:
            return [t.get_coro().__qualname__ for t in asyncio.all_tasks() if "Intercepted" in repr(t.get_coro())]  # type: ignore[union-attr]

        await self.until(lambda: not running(), "the interceptors have returned")

    async def test_the_first_is_outermost_and_all_see_messages_of_all_kinds(self) -> None:
        stub = self.stub(call_interceptors=[noting("a", self.notes), noting("b", [])])
        self.assertEqual((await stub.Ping(PingRequest(text="hi"))).text, "hi")
        self.assertEqual(self.notes, ["a Ping", "send", "receive", "end", "a OK"])
        self.notes.clear()
        self.assertEqual([r.number async for r in stub.CountUp(CountUpRequest(to=2))], [1, 2])
        self.assertEqual(self.notes, ["a CountUp", "send", "receive", "receive", "end", "a OK"])
        self.notes.clear()
        async with stub.Sum() as sum:
            await sum.send(SumRequest(number=1))
            self.assertEqual((await sum.finish()).sum, 1)
        self.assertEqual(self.notes, ["a Sum", "send", "receive", "end", "a OK"])
        self.notes.clear()
        async with stub.CumSum() as sums:
            await sums.send(CumSumRequest(number=1))
            self.assertEqual((await sums.receive()).sum, 1)
            await sums.end()
            self.assertIsNone(await sums.receive())
        self.assertEqual(self.notes, ["a CumSum", "send", "receive", "end", "a OK"])
        await self.tasks_end()

    async def test_the_order_is_that_of_the_list(self) -> None:
        stub = self.stub(call_interceptors=[noting("a", self.notes), noting("b", self.notes)])
        with self.assertRaises(RpcError):
            await stub.Ping(PingRequest(fail_code=5))
        kept = [n for n in self.notes if n[0] in "ab"]
        self.assertEqual(kept, ["a Ping", "b Ping", "b NOT_FOUND", "a NOT_FOUND"])

    async def test_metadata_goes_with_the_call_and_comes_back(self) -> None:
        came = []

        def interceptor(next: Handler) -> Handler:
            async def handle(stream: CallStream) -> None:
                stream.metadata.add("x-user", "ada")
                await next(stream)
                came.extend([stream.header.get("x-user"), stream.trailers.get("x-user"), (stream.time_left or 0) > 5])

            return handle

        stub = self.stub(call_interceptors=[interceptor])
        metadata = {"x-trace": "1"}
        call = stub.Ping(PingRequest(), metadata=metadata, timeout=30)
        await call
        self.assertEqual(came, ["ada", "ada", True])
        self.assertEqual(((await call.header()).get("x-trace"), call.trailers.get("x-user")), ("1", "ada"))
        self.assertEqual(metadata, {"x-trace": "1"})

    async def test_an_interceptor_may_change_the_status(self) -> None:
        def interceptor(next: Handler) -> Handler:
            async def handle(stream: CallStream) -> None:
                try:
                    await next(stream)
                except RpcError as e:
                    if e.code is Code.NOT_FOUND:
                        raise RpcError(Code.ABORTED, "changed") from None

            return handle

        stub = self.stub(call_interceptors=[interceptor])
        for code, want in ((Code.NOT_FOUND, "ABORTED: changed"), (Code.INTERNAL, "INTERNAL: the call has ended with OK")):
            with self.assertRaisesRegex(RpcError, want):
                await stub.Ping(PingRequest(fail_code=code))
        late = stub.CountUp(CountUpRequest(to=3, delay_ms=60_000), timeout=0.2)
        self.assertEqual([r async for r in late], [])
        await self.tasks_end()

    async def test_an_interceptor_may_refuse_a_call_and_must_call_next(self) -> None:
        def refusing(next: Handler) -> Handler:
            async def handle(stream: CallStream) -> None:
                raise RpcError(Code.PERMISSION_DENIED, "not today")

            return handle

        def forgetting(next: Handler) -> Handler:
            async def handle(stream: CallStream) -> None:
                pass

            return handle

        for interceptor, want in ((refusing, "PERMISSION_DENIED: not today"), (forgetting, "has not called next")):
            stub = self.stub(call_interceptors=[interceptor])
            for call in (stub.Ping(PingRequest()), stub.CumSum().receive(), stub.Sum().send(SumRequest())):
                with self.assertRaisesRegex(RpcError, want):
                    await call

    async def test_it_learns_that_the_application_has_left(self) -> None:
        stub = self.stub(call_interceptors=[noting("a", self.notes)])
        async for _ in stub.CountUp(CountUpRequest(to=10**6)):
            break
        await self.until(lambda: "a CANCELED" in self.notes, "the interceptor has returned")
        self.notes.clear()
        task = asyncio.ensure_future(stub.Ping(PingRequest(delay_ms=60_000)))
        await self.until(lambda: "send" in self.notes, "the call is made")
        task.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await task
        await self.until(lambda: "a CANCELED" in self.notes, "the interceptor has returned")
        await self.tasks_end()

    async def test_a_call_may_end_before_next(self) -> None:
        waiting = asyncio.Event()

        def interceptor(next: Handler) -> Handler:
            async def handle(stream: CallStream) -> None:
                waiting.set()
                await asyncio.Event().wait()

            return handle

        stub = self.stub(call_interceptors=[interceptor])
        call = stub.Ping(PingRequest())
        task = asyncio.ensure_future(call)
        await waiting.wait()
        call.cancel()
        with self.assertRaises(RpcError) as caught:
            await task
        self.assertEqual(caught.exception.code, Code.CANCELED)
        with self.assertRaises(RpcError) as caught:
            await stub.Ping(PingRequest(), timeout=0.05)
        self.assertEqual(caught.exception.code, Code.DEADLINE_EXCEEDED)
        await self.tasks_end()

    async def test_a_message_of_the_wrong_type_ends_the_call(self) -> None:
        stub = self.stub(call_interceptors=[noting("a", self.notes)])
        with self.assertRaises(TypeError):
            await stub.Sum().send(PingRequest())
        await self.tasks_end()
        self.assertEqual(self.notes[-1], "a CANCELED")


class AroundHandlers(ServerTest):
    async def test_they_see_messages_and_the_status(self) -> None:
        notes: list[str] = []
        client = self.client(handler_interceptors=[noting("a", notes)])
        client.serve(PING, Pinger())
        stub = client.stub(PING)
        self.assertEqual((await stub.Ping(PingRequest(text="hi"), metadata=RELAY)).text, "hi")
        self.assertEqual(notes, ["a Ping", "receive", "end", "send", "a OK"])
        notes.clear()
        self.assertEqual(len([r async for r in stub.CountUp(CountUpRequest(to=2), metadata=RELAY)]), 2)
        self.assertEqual(notes, ["a CountUp", "receive", "end", "send", "send", "a OK"])
        notes.clear()
        with self.assertRaises(RpcError):
            await stub.Ping(PingRequest(delay_ms=60_000), metadata=RELAY, timeout=0.2)
        await self.until(lambda: notes[-1] == "a CancelledError", "the interceptor has returned")

    async def test_they_refuse_calls_and_tell_handlers_what_they_know(self) -> None:
        def authorize(next: Handler) -> Handler:
            async def handle(stream: CallStream) -> None:
                user = stream.metadata.get("x-user")
                if not isinstance(user, str):
                    raise RpcError(Code.UNAUTHENTICATED, "no user")
                USER.set(user)
                stream.header.add("x-hello", user)
                await next(stream)
                stream.trailers.add("x-bye", user)

            return handle

        client = self.client(handler_interceptors=[authorize])
        pinger = Pinger()
        client.serve(PING, pinger)
        stub = client.stub(PING)
        with self.assertRaisesRegex(RpcError, "UNAUTHENTICATED: no user"):
            await stub.Ping(PingRequest(), metadata=RELAY)
        call = stub.Ping(PingRequest(), metadata={**RELAY, "x-user": "ada"})
        await call
        self.assertEqual(((await call.header()).get("x-hello"), call.trailers.get("x-bye")), ("ada", "ada"))
        self.assertEqual(pinger.users, ["ada"])
