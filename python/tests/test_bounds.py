"""What a peer that misbehaves can make this end keep."""

from __future__ import annotations

import asyncio
import unittest

from parley import Code, RpcError
from parley import frame as f
from parley.callwire import CallOpen, encode_open
from parley.fields import encode_fields
from parley.frame import encode_frame
from parley.goaway import NOTICE, encode_goaway
from parley.hello import Settings
from parley.servercall import serve_stream
from parley.service import Services, Tasks
from parley.session import Session
from parley.stream import Stream
from parley.varint import encode_varint
from ping_pb2 import DESCRIPTOR

from .test_session_vectors import Run, Wire

REF = [(1, bytes(16)), (3, bytes(32))]


def hello(**numbers: int) -> bytes:
    """Returns the HELLO of a peer that resumes."""
    keys = {"resume_window": 14, "initial_window": 10, "max_message": 4}
    fields = [(keys[name], value) for name, value in numbers.items()]
    return encode_frame(f.HELLO, 0, 0, encode_fields([*fields, *REF]))


class Bounds(unittest.IsolatedAsyncioTestCase):
    def session(self) -> tuple[Session, Wire]:
        run = Run({"side": "dialer", "settings": {"resume_window": 30_000}})
        run.session.next_message()
        return run.session, run.wire

    async def test_a_sender_stops_when_nothing_is_acknowledged(self) -> None:
        session, wire = self.session()
        session.receive(hello(resume_window=30_000, initial_window=10**9, max_message=10**9))
        stream = session.open(lambda _: b"")
        session.next_message()
        sending = asyncio.ensure_future(stream.send(bytes(1_000_000)))
        await asyncio.sleep(0)
        sent = 0
        while message := session.next_message():
            sent += len(message)
        self.assertTrue(65_536 <= sent <= 65_536 + 2 * 32_768, sent)
        session.receive(encode_frame(f.ACK, 0, 0, encode_varint(3)))
        self.assertTrue(session.next_message())
        self.assertIsNone(wire.closed)
        session.close(1000, RpcError(Code.CANCELED))
        with self.assertRaises(RpcError):
            await sending

    async def test_a_peer_that_opens_streams_and_reads_nothing_is_closed(self) -> None:
        session, wire = self.session()
        session.receive(hello(resume_window=30_000))
        header = bytes(4_097)
        for id in range(2, 20_000, 2):
            session.receive(encode_frame(f.OPEN, 0, id, header))
            if wire.closed:
                break
        self.assertEqual(wire.closed, 4008)

    async def test_a_flood_of_goaways_closes_the_link(self) -> None:
        session, wire = self.session()
        session.receive(hello(resume_window=30_000))
        for _ in range(100):
            session.receive(encode_frame(f.GOAWAY, 0, 0, encode_goaway(NOTICE)))
        self.assertIsNone(wire.closed)
        session.receive(encode_frame(f.GOAWAY, 0, 0, encode_goaway(NOTICE)))
        self.assertEqual(wire.closed, 4008)

    async def test_handlers_are_bounded_although_their_streams_were_reset(self) -> None:
        class Slow:
            async def Ping(self, request: object, context: object) -> None:
                while True:
                    try:
                        await asyncio.sleep(60)
                    except asyncio.CancelledError:
                        if ended.is_set():
                            raise

        ended, services, tasks, refused = asyncio.Event(), Services(), Tasks(3), 0
        services.add(DESCRIPTOR.services_by_name["PingService"], Slow())
        session = Session(Settings(), Run({"side": "dialer"}))
        header = encode_open(CallOpen("parley.ping.v1.PingService/Ping"))
        for id in range(2, 14, 2):
            stream = Stream(session, None)
            stream.start(id)
            serve_stream(services, tasks, stream, header)
            refused += stream.closed
            stream.handle(f.Frame(f.DATA, f.FLAG_END, id, b""), 4_096)
            await asyncio.sleep(0)
            stream.handle_reset(f.CANCEL, "")
        self.assertEqual((refused, tasks.full), (3, True))
        ended.set()
        await tasks.stop()
        self.assertFalse(tasks.full)
