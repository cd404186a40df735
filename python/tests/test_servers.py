"""A client with the URLs of several servers."""

from __future__ import annotations

import asyncio
import unittest

from parley import Client, Code, RpcError, State
from parley.options import Options
from parley.targets import Targets
from ping_pb2 import CountUpRequest, PingRequest

from .kit import PING, ServerTest

NOTHING = "ws://127.0.0.1:1/rpc"  # nothing listens there


class Servers(ServerTest):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.other, self.other_url = await self.start_server()

    def used(self, client: Client) -> str:
        """Returns the URL of the session that new calls use."""
        current = client._connection._current
        assert current
        return current.url

    async def ping(self, client: Client) -> str:
        text: str = (await client.stub(PING).Ping(PingRequest(text="hi"), timeout=10)).text
        return text

    async def test_the_first_that_answers_is_used(self) -> None:
        for urls, used in (
            ([self.url, self.other_url], self.url),
            ([NOTHING, self.other_url], self.other_url),
            ([self.url.replace("/rpc", "/guarded"), NOTHING, self.other_url], self.other_url),
        ):
            client = self.client(urls)
            self.assertEqual(await self.ping(client), "hi")
            self.assertEqual(self.used(client), used)

    async def test_a_silent_server_holds_up_a_call_for_a_second(self) -> None:
        proxy = await self.proxy()
        proxy.held = True
        client = self.client([proxy.url, self.other_url])
        self.assertEqual(await self.ping(client), "hi")
        self.assertEqual(self.used(client), self.other_url)

    async def test_if_none_answers_the_error_is_one_that_may_pass(self) -> None:
        guarded = self.url.replace("/rpc", "/guarded")
        with self.assertRaises(RpcError) as caught:
            await self.ping(self.client([guarded, NOTHING]))
        self.assertEqual(caught.exception.code, Code.UNAVAILABLE)
        with self.assertRaises(RpcError) as caught:
            await self.ping(self.client([guarded, self.url.replace("/rpc", "/status/404")]))
        self.assertEqual(caught.exception.code, Code.UNAUTHENTICATED)

    async def test_calls_move_from_a_server_that_drains(self) -> None:
        client = self.client([self.url, self.other_url])
        await client.connect()
        self.server.say("drain")
        while self.used(client) == self.url:
            self.assertEqual(await self.ping(client), "hi")
        self.assertEqual(await self.server.line(), "drained")
        self.assertEqual(self.used(client), self.other_url)
        self.assertEqual(await self.ping(client), "hi")

    async def test_new_calls_move_while_a_session_waits_for_its_server(self) -> None:
        proxy = await self.proxy()
        client = self.client([proxy.url, self.other_url])
        async with client.stub(PING).CountUp(CountUpRequest(to=200, delay_ms=1)) as numbers:
            await numbers.receive()
            proxy.target = NOTHING
            proxy.cut()
            before = client._connection._current
            assert before
            session = before.session
            await self.until(lambda: session.detached, "the link is lost")
            self.assertEqual(await self.ping(client), "hi")
            self.assertEqual((self.used(client), client.state), (self.other_url, State.READY))
            proxy.target = self.url
            self.assertEqual([r.number async for r in numbers], list(range(2, 201)))
        self.assertEqual(self.used(client), self.other_url)

    async def test_a_session_that_is_resumed_at_once_stays(self) -> None:
        proxy = await self.proxy()
        client = self.client([proxy.url, self.other_url])
        async for response in client.stub(PING).CountUp(CountUpRequest(to=200, delay_ms=1)):
            if response.number in (50, 100):
                proxy.cut()
        self.assertEqual(self.used(client), proxy.url)
        self.assertIsNone(client._connection._next)

    async def test_when_its_server_is_lost_a_client_begins_again_with_the_first(self) -> None:
        proxy = await self.proxy(NOTHING)
        client = self.client([proxy.url, self.other_url])
        self.assertEqual(await self.ping(client), "hi")
        proxy.target = self.url
        await self.other.stop()
        self.assertEqual(await self.ping(client), "hi")
        self.assertEqual(self.used(client), proxy.url)


class Order(unittest.IsolatedAsyncioTestCase):
    async def test_urls_have_an_order(self) -> None:
        targets = Targets(Options(["ws://a/", "ws://b/", "ws://c/"]))
        self.assertEqual(targets.order("", ""), ["ws://a/", "ws://b/", "ws://c/"])
        self.assertEqual(targets.order("ws://a/", ""), ["ws://b/", "ws://c/", "ws://a/"])
        self.assertEqual(targets.order("ws://a/", "ws://a/new"), ["ws://a/new", "ws://b/", "ws://c/", "ws://a/"])

    async def test_a_server_that_asks_to_wait_is_left_out_until_then(self) -> None:
        targets = Targets(Options(["ws://a/", "ws://b/"]))
        targets._not_before["ws://a/"] = asyncio.get_running_loop().time() + 30
        self.assertEqual(targets.wait(["ws://a/", "ws://b/"]), 0)
        self.assertTrue(29 < targets.wait(["ws://a/"]) <= 30)

    async def test_a_list_has_urls_that_can_be_dialed(self) -> None:
        wrong: tuple[tuple[list[str], str], ...] = (([], "empty"), (["ws://a/", "http://b/"], "http://b/"))
        for urls, what in wrong:
            with self.assertRaisesRegex(ValueError, what):
                Client(urls)
