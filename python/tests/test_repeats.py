"""Calls that are made again."""

from __future__ import annotations

import asyncio
import unittest
from typing import Any

from parley import Code, RpcError, UnaryCall
from parley import frame as f
from parley.attempts import Attempts
from parley.call import CallOptions, Exchange
from parley.codec import find_codec
from parley.frame import encode_frame, encode_reset
from parley.goaway import Goaway, encode_goaway
from parley.method import method_of
from parley.session import Session
from parley.stream import Stream
from ping_pb2 import PingRequest, PingResponse

from .kit import PING
from .test_session_vectors import Run

REFUSED = encode_frame(f.RESET, 0, 1, encode_reset(f.REFUSED))
DRAINED = encode_frame(f.GOAWAY, 0, 0, encode_goaway(Goaway(0)))
ANSWER = encode_frame(f.DATA, f.FLAG_END, 1, PingResponse(text="hi").SerializeToString())


class Repeats(unittest.IsolatedAsyncioTestCase):
    """A call on sessions of which each is used once the one before is drained."""

    async def asyncSetUp(self) -> None:
        self.sessions = [self.session() for _ in range(6)]
        self.used: list[Session] = []
        self.call: UnaryCall[Any, Any] = UnaryCall(lambda: Attempts(self.exchange, None, None), PingRequest())
        self.running = asyncio.ensure_future(self.call._run())
        await self.settle()

    def session(self) -> Session:
        session = Run({"side": "dialer"}).session
        session.receive(encode_frame(f.HELLO, 0, 0, b""))
        return session

    def exchange(self) -> Exchange[Any, Any]:
        method = method_of(PING.methods_by_name["Ping"])
        return Exchange(self.open, method, CallOptions(find_codec("proto")), None)

    def open(self, header: Any, wait: bool) -> Stream:
        session = next(s for s in self.sessions if s.may_open)
        self.used.append(session)
        return session.open(header, wait)

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)
        for session in self.sessions:
            while session.next_message():
                pass

    async def test_a_call_that_a_drained_session_leaves_goes_to_the_next(self) -> None:
        self.sessions[0].receive(DRAINED)
        await self.settle()
        self.sessions[1].receive(ANSWER)
        self.assertEqual((await self.running).text, "hi")
        self.assertEqual(self.used, self.sessions[:2])

    async def test_a_call_is_made_four_times_at_most(self) -> None:
        for session in self.sessions[:4]:
            session.receive(DRAINED)
            await self.settle()
        with self.assertRaises(RpcError) as caught:
            await self.running
        self.assertEqual((caught.exception.code, caught.exception.unprocessed), (Code.UNAVAILABLE, True))
        self.assertEqual(self.used, self.sessions[:4])

    async def test_a_call_that_is_refused_is_not_made_again_on_the_same_session(self) -> None:
        self.sessions[0].receive(REFUSED)
        with self.assertRaises(RpcError) as caught:
            await self.running
        self.assertEqual((caught.exception.code, caught.exception.unprocessed), (Code.UNAVAILABLE, True))
        self.assertEqual(len(self.used), 1)
