"""The code of docs/python.md, run with a real server."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Mapping

import parley
import parley.sync
import ping_pb2
from parley import CallStream, Client, Code, Handler, RetryPolicy, RpcError, ServerContext
from ping_parley import PingServiceBase, PingServiceStub, PingServiceSyncStub
from ping_pb2 import (
    CountUpRequest,
    CountUpResponse,
    CumSumRequest,
    PingFailure,
    PingRequest,
    PingResponse,
    SumRequest,
)

from .kit import ServerTest


async def first(url: str) -> str:
    # snippet:first
    async with Client(url) as client:
        ping = client.stub(ping_pb2.DESCRIPTOR.services_by_name["PingService"])
        response = await ping.Ping(ping_pb2.PingRequest(text="hi"))
        # snippet:end
        text: str = response.text
        return text


def synchronous(url: str) -> list[int]:
    # snippet:sync
    with parley.sync.Client(url) as client:
        ping = PingServiceSyncStub(client)
        print(ping.Ping(PingRequest(text="hi")).text)
        numbers = [response.number for response in ping.CountUp(CountUpRequest(to=3))]
        # snippet:end
        return numbers


# snippet:service
class Pinger(PingServiceBase):
    async def Ping(self, request: PingRequest, context: ServerContext) -> PingResponse:
        if not request.text:
            raise RpcError(Code.INVALID_ARGUMENT, "no text", [PingFailure(hint="say something")])
        return PingResponse(text=request.text)

    async def CountUp(self, request: CountUpRequest, context: ServerContext) -> AsyncIterator[CountUpResponse]:
        for number in range(1, request.to + 1):
            yield CountUpResponse(number=number)


# snippet:end


# snippet:interceptor
def timed(next: Handler) -> Handler:
    async def handle(stream: CallStream) -> None:
        stream.metadata.add("x-request-id", uuid.uuid4().hex)
        begun = time.monotonic()
        try:
            await next(stream)  # the call, of any kind: its error is the status
        finally:
            logging.info("%s took %.3f s", stream.method, time.monotonic() - begun)

    return handle


# snippet:end


class Guide(ServerTest):
    async def test_the_first_call(self) -> None:
        self.assertEqual(await first(self.url), "hi")

    async def test_the_four_kinds(self) -> None:
        client, printed = self.client(), []
        # snippet:kinds
        ping = PingServiceStub(client)

        response = await ping.Ping(PingRequest(text="hi"), timeout=5)

        async for count in ping.CountUp(CountUpRequest(to=1_000_000)):
            printed.append(count.number)
            if count.number == 3:
                break  # cancels the call

        async with ping.Sum() as summing:
            for number in (1, 2, 3):
                await summing.send(SumRequest(number=number))
            total = await summing.finish()

        async with ping.CumSum() as sums:
            await sums.send(CumSumRequest(number=5))
            so_far = await sums.receive()
            await sums.end()
        # snippet:end
        assert so_far is not None
        self.assertEqual((response.text, printed, total.sum, so_far.sum), ("hi", [1, 2, 3], 6, 5))

    async def test_metadata(self) -> None:
        ping = PingServiceStub(self.client())
        # snippet:metadata
        call = ping.Ping(PingRequest(text="hi"), metadata={"x-user": "ada", "x-trace-bin": b"\x00\x01"})
        response = await call
        header, trailers = await call.header(), call.trailers
        user = header.get("x-user")
        # snippet:end
        self.assertEqual((response.text, user, trailers.get("x-trace-bin")), ("hi", "ada", b"\x00\x01"))

    async def test_errors(self) -> None:
        ping, hints = PingServiceStub(self.client()), []
        # snippet:errors
        try:
            await ping.Ping(PingRequest(fail_code=Code.NOT_FOUND), timeout=5)
        except RpcError as e:
            if e.code is not Code.NOT_FOUND:
                raise
            hints = [failure.hint for failure in e.details(PingFailure)]
        # snippet:end
        self.assertEqual(hints, ["leave fail_code out"])

    async def test_encodings(self) -> None:
        ping = PingServiceStub(self.client())
        # snippet:encodings
        response = await ping.Ping(PingRequest(text="hi" * 10_000), codec="json", compression="gzip")
        # snippet:end
        self.assertEqual(len(response.text), 20_000)

    async def test_serving(self) -> None:
        url = self.url
        # snippet:serve
        async with Client(url) as client:
            Pinger().serve_on(client)
            await client.connect()
            # snippet:end
            ping, relay = PingServiceStub(client), {"relay": "1"}
            self.assertEqual((await ping.Ping(PingRequest(text="hi"), metadata=relay)).text, "hi")
            self.assertEqual(len([r async for r in ping.CountUp(CountUpRequest(to=3), metadata=relay)]), 3)
            with self.assertRaises(RpcError) as caught:
                await ping.Ping(PingRequest(), metadata=relay)
            self.assertEqual(caught.exception.details(PingFailure)[0].hint, "say something")

    async def test_credentials(self) -> None:
        url = self.url.replace("/rpc", "/guarded")

        async def fetch_token() -> str:
            return "secret-1"

        # snippet:credentials
        async def credentials() -> Mapping[str, str]:
            return {"Authorization": f"Bearer {await fetch_token()}"}

        client = Client(url, credentials=credentials)
        # snippet:end
        async with client:
            self.assertEqual((await PingServiceStub(client).Ping(PingRequest(text="hi"))).text, "hi")

    async def test_interceptors_and_retries(self) -> None:
        url = self.url
        # snippet:intercept
        client = Client(
            url,
            call_interceptors=[timed],
            retry=RetryPolicy(codes=[Code.UNAVAILABLE], max_attempts=4, initial_backoff=0.1, max_backoff=5),
        )
        # snippet:end
        async with client:
            with self.assertLogs(level=logging.INFO) as logs:
                call = PingServiceStub(client).Ping(PingRequest(text="hi"))
                self.assertEqual((await call).text, "hi")
            self.assertIn("PingService/Ping took 0.", logs.output[0])
            self.assertEqual(len(str((await call.header()).get("x-request-id"))), 32)

    async def test_several_servers(self) -> None:
        # snippet:servers
        client = Client(["wss://a.example.com/rpc", "wss://b.example.com/rpc"])
        # snippet:end
        self.assertIs(client.state, parley.State.IDLE)
        await client.close()

    async def test_states(self) -> None:
        client, seen = self.client(), []
        await client.connect()
        # snippet:states
        async for state in client.states():
            seen.append(state)
            if state is parley.State.READY:
                break
        # snippet:end
        self.assertEqual(seen, [parley.State.READY])

    async def test_the_synchronous_client(self) -> None:
        self.assertEqual(await asyncio.to_thread(synchronous, self.url), [1, 2, 3])
