"""Links that break, servers that go and come: resumption, reconnecting, drain, keepalive and credentials."""

from __future__ import annotations

import asyncio
import base64
import random
import ssl
from collections.abc import Mapping
from unittest import mock

from parley import Code, RpcError, Settings, State
from ping_pb2 import CountUpRequest, CumSumRequest, PingRequest, SumRequest

from .kit import PING, ServerTest


class Resumption(ServerTest):
    async def test_nothing_is_lost_or_doubled_when_links_break_anywhere(self) -> None:
        proxy = await self.proxy()
        dice = random.Random(7)
        proxy.cut_after = lambda: dice.randrange(500, 60_000)
        client = self.client(proxy.url)
        self.enterContext(mock.patch("parley.backoff.random.uniform", return_value=0.0))  # no wait between the cuts
        stub, count = client.stub(PING), 3_000
        async with stub.CumSum() as sums:

            async def send() -> None:
                for _ in range(count):
                    await sums.send(CumSumRequest(number=1))
                await sums.end()

            async def read() -> list[int]:
                return [r.sum async for r in sums]

            async def ping() -> None:
                text = "0123456789" * 3_000
                for _ in range(40):
                    self.assertEqual((await stub.Ping(PingRequest(text=text))).text, text)

            _, got, _ = await asyncio.wait_for(asyncio.gather(send(), read(), ping()), 60)
        self.assertEqual(got, list(range(1, count + 1)))
        self.assertGreater(proxy.connections, 20)

    async def test_a_session_that_the_server_has_forgotten_fails_its_calls(self) -> None:
        proxy = await self.proxy()
        client = self.client(proxy.url)
        stub = client.stub(PING)
        async with stub.CountUp(CountUpRequest(to=100_000, delay_ms=1)) as numbers:
            await numbers.receive()
            _, proxy.target = await self.start_server()
            proxy.cut()
            with self.assertRaises(RpcError) as caught:
                while await numbers.receive():
                    pass
        self.assertEqual(caught.exception.code, Code.UNAVAILABLE)
        self.assertEqual((await stub.Ping(PingRequest(text="hi"))).text, "hi")

    async def test_a_session_ends_when_it_is_not_resumed_in_time(self) -> None:
        proxy = await self.proxy()
        stub = self.stub(proxy.url, settings=Settings(resume_window=300))
        async with stub.CountUp(CountUpRequest(to=100_000, delay_ms=1)) as numbers:
            await numbers.receive()
            proxy.target = "ws://127.0.0.1:1/rpc"
            proxy.cut()
            with self.assertRaisesRegex(RpcError, "not resumed in time"):
                while await numbers.receive():
                    pass

    async def test_without_resumption_a_lost_link_fails_calls(self) -> None:
        proxy = await self.proxy()
        stub = self.stub(proxy.url, settings=Settings())
        async with stub.CountUp(CountUpRequest(to=100_000, delay_ms=1)) as numbers:
            await numbers.receive()
            proxy.cut()
            with self.assertRaises(RpcError) as caught:
                while await numbers.receive():
                    pass
        self.assertEqual(caught.exception.code, Code.UNAVAILABLE)

    async def test_a_silent_peer_is_found_and_the_session_resumed(self) -> None:
        proxy = await self.proxy()
        settings = Settings(resume_window=30_000, keepalive=1_000)
        client = self.client(proxy.url, settings=settings)
        stub = client.stub(PING)
        await stub.Ping(PingRequest())
        proxy.held = True
        call = asyncio.ensure_future(stub.Ping(PingRequest(text="hi")))
        await self.until(lambda: client.state is State.DETACHED, "the link is given up")
        proxy.cut()
        proxy.held = False
        self.assertEqual((await call).text, "hi")


class Reconnecting(ServerTest):
    async def test_the_client_connects_again_to_a_server_that_returns(self) -> None:
        proxy = await self.proxy()
        client = self.client(proxy.url, settings=Settings())
        stub = client.stub(PING)
        await stub.Ping(PingRequest())
        target, proxy.target = proxy.target, "ws://127.0.0.1:1/rpc"
        proxy.cut()
        await self.until(lambda: client.state is State.FAILED, "the dial fails")
        with self.assertRaises(RpcError) as caught:
            await stub.Ping(PingRequest())
        self.assertEqual((caught.exception.code, caught.exception.unprocessed), (Code.UNAVAILABLE, True))
        waiting = asyncio.ensure_future(stub.Ping(PingRequest(text="hi"), wait_for_ready=True))
        await asyncio.sleep(0)
        proxy.target = target
        self.assertEqual((await waiting).text, "hi")
        self.assertIs(client.state, State.READY)

    async def test_refusals_have_the_status_that_the_protocol_says(self) -> None:
        codes = {
            400: Code.INTERNAL,
            401: Code.UNAUTHENTICATED,
            403: Code.PERMISSION_DENIED,
            404: Code.UNIMPLEMENTED,
            302: Code.UNIMPLEMENTED,
            426: Code.UNIMPLEMENTED,
            418: Code.UNKNOWN,
            429: Code.UNAVAILABLE,
            503: Code.UNAVAILABLE,
        }
        for status, code in codes.items():
            with self.subTest(status):
                client = self.client(self.url.replace("/rpc", f"/status/{status}"))
                for _ in range(2):
                    with self.assertRaises(RpcError) as caught:
                        await client.stub(PING).Ping(PingRequest())
                    self.assertEqual(caught.exception.code, code)
                with self.assertRaises(RpcError):
                    await client.connect()

    async def test_nothing_that_listens_is_unavailable(self) -> None:
        with self.assertRaises(RpcError) as caught:
            await self.stub("ws://127.0.0.1:1/rpc").Ping(PingRequest())
        self.assertEqual(caught.exception.code, Code.UNAVAILABLE)

    async def test_a_server_with_tls_is_verified(self) -> None:
        self.server.say("tls")
        url, certificate = (await self.server.line()).split()
        trusting = ssl.create_default_context(cadata=base64.b64decode(certificate))
        self.assertEqual((await self.stub(url, ssl=trusting).Ping(PingRequest(text="hi"))).text, "hi")
        with self.assertRaisesRegex(RpcError, "certificate") as caught:
            await self.stub(url).Ping(PingRequest())
        self.assertEqual(caught.exception.code, Code.UNAVAILABLE)
        with self.assertRaisesRegex(ValueError, "wss"):
            self.client(ssl=trusting)

    async def test_credentials_are_asked_before_each_dial(self) -> None:
        proxy = await self.proxy(self.url.replace("/rpc", "/guarded"))
        asked = 0

        async def credentials() -> Mapping[str, str]:
            nonlocal asked
            asked += 1
            return {"Authorization": f"Bearer secret-{asked}"}

        stub = self.stub(proxy.url, credentials=credentials)
        async with stub.CountUp(CountUpRequest(to=300, delay_ms=1)) as numbers:
            await numbers.receive()
            proxy.cut()
            got = [r.number async for r in numbers]
        self.assertEqual(got, list(range(2, 301)))
        self.assertEqual(asked, proxy.connections)
        self.assertGreater(asked, 1)

    async def test_wrong_or_failing_credentials_fail_calls(self) -> None:
        url = self.url.replace("/rpc", "/guarded")

        async def broken() -> Mapping[str, str]:
            raise OSError("the token service is gone")

        async def refused() -> Mapping[str, str]:
            raise RpcError(Code.PERMISSION_DENIED, "no such user")

        wrong = ((None, Code.UNAUTHENTICATED), (broken, Code.UNAVAILABLE), (refused, Code.PERMISSION_DENIED))
        for credentials, code in wrong:
            with self.assertRaises(RpcError) as caught:
                await self.stub(url, credentials=credentials).Ping(PingRequest())
            self.assertEqual(caught.exception.code, code)

    async def test_states_are_told(self) -> None:
        client, seen = self.client(), []

        async def watch() -> None:
            async for state in client.states():
                seen.append(state)

        watching = asyncio.ensure_future(watch())
        await asyncio.sleep(0)
        await client.connect()
        await asyncio.sleep(0)
        await client.close()
        await watching
        self.assertEqual(seen, [State.IDLE, State.CONNECTING, State.READY, State.CLOSED])


class Draining(ServerTest):
    async def test_a_rolling_restart_fails_no_call(self) -> None:
        proxy = await self.proxy()
        client = self.client(proxy.url)
        stub = client.stub(PING)
        async with stub.CountUp(CountUpRequest(to=400, delay_ms=2)) as numbers, stub.Sum() as sum:
            await numbers.receive()
            await sum.send(SumRequest(number=1))
            old, (_, proxy.target) = self.server, await self.start_server()
            old.say("drain")

            async def ping() -> None:
                while proxy.connections < 2 or client._connection._retired:
                    self.assertEqual((await stub.Ping(PingRequest(text="hi"))).text, "hi")

            pinging = asyncio.ensure_future(ping())
            self.assertEqual([r.number async for r in numbers], list(range(2, 401)))
            await sum.send(SumRequest(number=2))
            self.assertEqual((await sum.finish()).sum, 3)
            await asyncio.wait_for(pinging, 20)
        self.assertEqual(await old.line(), "drained")
        self.assertEqual((await stub.Ping(PingRequest(text="hi"))).text, "hi")

    async def test_an_idle_client_moves_when_the_server_drains(self) -> None:
        proxy = await self.proxy()
        client = self.client(proxy.url)
        await client.connect()
        _, proxy.target = await self.start_server()
        self.server.say("drain")
        self.assertEqual(await self.server.line(), "drained")
        await self.until(lambda: proxy.connections == 2, "the client has moved")
        self.assertEqual((await client.stub(PING).Ping(PingRequest(text="hi"))).text, "hi")
