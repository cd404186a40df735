"""Calls of a real server: all kinds, metadata, deadlines, cancellation, errors, codecs and compression."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from parley import Code, Metadata, RpcError
from ping_pb2 import (
    CountUpRequest,
    CountUpResponse,
    CumSumRequest,
    PingFailure,
    PingRequest,
    SumRequest,
)

from .kit import ServerTest


class Kinds(ServerTest):
    async def test_all_four_kinds_are_called(self) -> None:
        stub = self.stub()
        self.assertEqual((await stub.Ping(PingRequest(text="hi"))).text, "hi")
        self.assertEqual([r.number async for r in stub.CountUp(CountUpRequest(to=5))], [1, 2, 3, 4, 5])
        async with stub.Sum() as sum:
            for number in range(10):
                self.assertTrue(await sum.send(SumRequest(number=number)))
            response = await sum.finish()
        self.assertEqual((response.sum, response.count), (45, 10))
        async with stub.CumSum() as sums:
            got = []
            for number in range(5):
                await sums.send(CumSumRequest(number=number))
                response = await sums.receive()
                got.append(response.sum)
            await sums.end()
            self.assertIsNone(await sums.receive())
        self.assertEqual(got, [0, 1, 3, 6, 10])

    async def test_a_unary_call_may_be_awaited_again(self) -> None:
        call = self.stub().Ping(PingRequest(text="hi"))
        self.assertIs(await call, await call)

    async def test_streams_may_be_empty(self) -> None:
        stub = self.stub()
        self.assertEqual([r async for r in stub.CountUp(CountUpRequest(to=0))], [])
        async with stub.Sum() as sum:
            self.assertEqual((await sum.finish()).count, 0)

    async def test_three_hundred_calls_share_one_connection(self) -> None:
        proxy = await self.proxy()
        stub = self.stub(proxy.url)
        responses = await asyncio.gather(*(stub.Ping(PingRequest(text=str(i))) for i in range(300)))
        self.assertEqual([r.text for r in responses], [str(i) for i in range(300)])
        self.assertEqual(proxy.connections, 1)

    async def test_large_messages_pass_small_windows(self) -> None:
        stub, text = self.stub(), "0123456789" * 400_000
        self.assertEqual((await stub.Ping(PingRequest(text=text))).text, text)

    async def test_large_messages_of_many_calls_pass_at_once(self) -> None:
        stub, text = self.stub(), "x" * 1_000_000
        responses = await asyncio.gather(*(stub.Ping(PingRequest(text=text)) for _ in range(10)))
        self.assertEqual({len(r.text) for r in responses}, {1_000_000})

    async def test_a_slow_reader_stops_its_stream_and_no_other(self) -> None:
        client = self.client()
        stub = client.stub(self.ping)
        async with stub.CountUp(CountUpRequest(to=200_000)) as numbers:
            self.assertEqual((await numbers.receive()).number, 1)
            for _ in range(50):
                await stub.Ping(PingRequest(text="hi"))
            stream = numbers._conversation._exchange.stream
            waiting = sum(len(m.data) + 32 for m in stream._inbox)
            self.assertLessEqual(waiting, 256 << 10)
            for number in range(2, 6_000):
                self.assertEqual((await numbers.receive()).number, number)

    async def test_a_sender_waits_for_a_slow_receiver(self) -> None:
        stub = self.stub()
        async with stub.CumSum() as sums:
            sent = 0

            async def send() -> None:
                nonlocal sent
                while True:
                    await sums.send(CumSumRequest(number=1))
                    sent += 1

            sending = asyncio.ensure_future(send())
            before = -1
            while before != sent or sent == 0:
                before = sent
                await asyncio.sleep(0.2)
            self.assertLess(sent, 200_000)
            for number in range(1, 5_000):
                self.assertEqual((await sums.receive()).sum, number)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            with self.assertRaises(RpcError) as caught:
                while await sums.receive():
                    pass
            self.assertEqual(caught.exception.code, Code.CANCELED)


class MetadataAndErrors(ServerTest):
    async def test_metadata_goes_both_ways(self) -> None:
        pairs = [("x-a", "1"), ("X-A", "2"), ("x-b-bin", b"\x00\xff"), ("x-c", "")]
        call = self.stub().Ping(PingRequest(text="hi"), metadata=pairs)
        await call
        for got in (await call.header(), call.trailers):
            self.assertEqual(got.all("x-a"), ["1", "2"])
            self.assertEqual((got.get("x-b-bin"), got.get("x-c"), got.get("x-d")), (b"\x00\xff", "", None))

    async def test_the_header_comes_before_the_messages(self) -> None:
        call = self.stub().CountUp(CountUpRequest(to=2, delay_ms=50), metadata={"x-a": "1"})
        async with call:
            first = asyncio.ensure_future(call.receive())
            self.assertEqual((await call.header()).get("x-a"), "1")
            self.assertEqual((await first).number, 1)

    async def test_errors_have_details_and_trailers(self) -> None:
        with self.assertRaises(RpcError) as caught:
            await self.stub().Ping(PingRequest(text="hi", fail_code=9), metadata={"x-a": "1"})
        error = caught.exception
        self.assertEqual((error.code, error.message), (Code.FAILED_PRECONDITION, "failing as asked"))
        self.assertEqual([d.hint for d in error.details(PingFailure)], ["leave fail_code out"])
        self.assertEqual(error.details(PingRequest), [])
        self.assertEqual(error.trailers.get("x-a"), "1")
        self.assertEqual(str(error), "FAILED_PRECONDITION: failing as asked")

    async def test_every_code_arrives(self) -> None:
        stub = self.stub()
        for code in list(Code)[1:]:
            with self.assertRaises(RpcError) as caught:
                await stub.Ping(PingRequest(fail_code=code))
            self.assertEqual(caught.exception.code, code)

    async def test_a_method_that_the_server_lacks_is_unimplemented(self) -> None:
        import chat_pb2

        stub = self.client().stub(chat_pb2.DESCRIPTOR.services_by_name["ChatService"])
        with self.assertRaises(RpcError) as caught:
            async for _ in stub.Listen(chat_pb2.ListenRequest(room="r")):
                self.fail("a response has come")
        self.assertEqual(caught.exception.code, Code.UNIMPLEMENTED)

    async def test_an_early_end_stops_the_sender(self) -> None:
        async with self.stub().Sum() as sum:
            with self.assertRaises(RpcError) as caught:
                while True:
                    await sum.send(SumRequest(number=2**62))
            self.assertEqual(caught.exception.code, Code.OUT_OF_RANGE)
            with self.assertRaises(RpcError):
                await sum.finish()


class Ends(ServerTest):
    async def test_deadlines_end_calls(self) -> None:
        stub = self.stub()
        for timeout in (0.05, 0, -1):
            with self.assertRaises(RpcError) as caught:
                await stub.Ping(PingRequest(delay_ms=10_000), timeout=timeout)
            self.assertEqual(caught.exception.code, Code.DEADLINE_EXCEEDED)
        with self.assertRaises(RpcError) as caught:
            async for _ in stub.CountUp(CountUpRequest(to=1000, delay_ms=20), timeout=0.1):
                pass
        self.assertEqual(caught.exception.code, Code.DEADLINE_EXCEEDED)
        self.assertEqual((await stub.Ping(PingRequest(text="hi"), timeout=1e12)).text, "hi")

    async def test_leaving_a_loop_cancels_the_call(self) -> None:
        stub = self.stub()
        call = stub.CountUp(CountUpRequest(to=1_000_000, delay_ms=1))
        async for response in call:
            if response.number == 3:
                break
        await self.until(lambda: bool(call._conversation._exchange.stream.closed), "the call is canceled")
        self.assertEqual(call._conversation._exchange.error.code, Code.CANCELED)

    async def test_canceling_a_task_cancels_its_call(self) -> None:
        stub = self.stub()
        call = stub.Ping(PingRequest(delay_ms=60_000))
        task = asyncio.ensure_future(call)
        await self.until(lambda: call._begun is not None and call._begun._exchange.stream.id > 0, "the call is sent")
        task.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await task
        self.assertTrue(call._conversation._exchange.stream.closed)
        self.assertEqual((await stub.Ping(PingRequest(text="hi"))).text, "hi")

    async def test_cancel_ends_a_call_for_its_reader(self) -> None:
        async with self.stub().CountUp(CountUpRequest(to=10, delay_ms=5_000)) as call:
            reading = asyncio.ensure_future(call.receive())
            await self.until(lambda: bool(call._conversation._exchange.stream.id), "the call is sent")
            call.cancel()
            with self.assertRaises(RpcError) as caught:
                await reading
        self.assertEqual(caught.exception.code, Code.CANCELED)

    async def test_a_closed_client_makes_no_calls(self) -> None:
        client = self.client()
        stub = client.stub(self.ping)
        call = asyncio.ensure_future(stub.Ping(PingRequest(delay_ms=60_000)))
        await client.connect()
        await client.close()
        for calling in (call, stub.Ping(PingRequest())):
            with self.assertRaises(RpcError) as caught:
                await calling
            self.assertEqual(caught.exception.code, Code.CANCELED)

    async def test_close_with_a_grace_time_lets_calls_finish(self) -> None:
        client = self.client()
        call = asyncio.ensure_future(client.stub(self.ping).Ping(PingRequest(text="hi", delay_ms=200)))
        await client.connect()
        await client.close(grace=5)
        self.assertEqual((await call).text, "hi")


class Encodings(ServerTest):
    async def test_json_and_gzip_work_with_all_kinds(self) -> None:
        for options in ({"codec": "json"}, {"compression": "gzip"}, {"codec": "json", "compression": "gzip"}):
            stub, text = self.stub(**options), "text " * 5_000
            self.assertEqual((await stub.Ping(PingRequest(text=text))).text, text)
            numbers = [r.number async for r in stub.CountUp(CountUpRequest(to=3))]
            self.assertEqual(numbers, [1, 2, 3])
            async with stub.Sum() as sum:
                await sum.send(SumRequest(number=7))
                self.assertEqual((await sum.finish()).sum, 7)

    async def test_messages_beyond_a_limit_are_refused_here(self) -> None:
        stub = self.stub()
        for request, metadata in ((PingRequest(text="x" * 5_000_000), {}), (PingRequest(), {"x-a": "y" * 20_000})):
            with self.assertRaises(RpcError) as caught:
                await stub.Ping(request, metadata=metadata)
            self.assertEqual(caught.exception.code, Code.RESOURCE_EXHAUSTED)
        self.assertEqual((await stub.Ping(PingRequest(text="hi"))).text, "hi")

    async def test_a_response_that_inflates_too_far_is_refused(self) -> None:
        from parley import Settings

        stub = self.stub(compression="gzip", settings=Settings(max_message=100_000))
        with self.assertRaises(RpcError) as caught:
            await stub.Ping(PingRequest(text="x" * 1_000_000))
        self.assertEqual(caught.exception.code, Code.RESOURCE_EXHAUSTED)


class WrongInput(ServerTest):
    async def test_wrong_arguments_get_errors_that_say_so(self) -> None:
        stub = self.stub()
        wrong: tuple[tuple[Callable[[], object], type[Exception], str], ...] = (
            (lambda: stub.Ping(), TypeError, "takes 1 request"),
            (lambda: stub.Sum(SumRequest()), TypeError, "takes 0 request"),
            (lambda: stub.Ping(SumRequest()), TypeError, "PingRequest, not SumRequest"),
            (lambda: stub.Pong(PingRequest()), AttributeError, "no method Pong"),
            (lambda: stub.Ping(PingRequest(), codec="xml"), ValueError, "known are proto, json"),
            (lambda: stub.Ping(PingRequest(), compression="br"), ValueError, "known are gzip"),
            (lambda: stub.Ping(PingRequest(), metadata={"a b": "c"}), ValueError, "a key has"),
            (lambda: stub.Ping(PingRequest(), metadata={"a": b"c"}), TypeError, "-bin"),
            (lambda: stub.Ping(PingRequest(), metadata={"a": "\u00e4"}), ValueError, "printable"),
            (lambda: stub.Ping(PingRequest(), metadata={"parley-a": "b"}), ValueError, "reserved"),
            (lambda: stub.Ping(PingRequest(), metadata=[("a", "b")] * 257), ValueError, "256 pairs"),
            (lambda: self.client("http://localhost"), ValueError, "ws://"),
            (lambda: self.client(codec="xml"), ValueError, "known are"),
        )
        for call, kind, words in wrong:
            with self.assertRaisesRegex(kind, words):
                call()

    async def test_a_message_of_the_wrong_type_ends_the_call(self) -> None:
        async with self.stub().Sum() as sum:
            with self.assertRaisesRegex(TypeError, "SumRequest"):
                await sum.send(CountUpResponse())

    async def test_metadata_is_compared_by_its_pairs(self) -> None:
        self.assertEqual(Metadata({"A": "b"}), Metadata([("a", "b")]))
        self.assertNotEqual(Metadata({"a": "b"}), Metadata())
