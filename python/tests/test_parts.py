"""The parts of the client alone: bounds, counts and times."""

from __future__ import annotations

import asyncio
import gzip
import random
import time
import unittest
from email.utils import formatdate
from types import SimpleNamespace

from google.protobuf.struct_pb2 import Struct
from google.protobuf.type_pb2 import Type
from parley import Code, RpcError, compression
from parley.backoff import MAX_DELAY, MAX_LONG_DELAY, Backoff
from parley.closecode import LOST, Reconnect, close_action, reset_error, standard_code
from parley.codec import CODECS, is_repeated
from parley.connection import same_origin
from parley.fields import MalformedFields, parse_fields
from parley.frame import parse_frame
from parley.goaway import Goaway
from parley.handshake import dial_error, http_code, retry_after
from parley.hello import Settings
from parley.keepalive import Keepalive
from parley.link import closed_by
from parley.replay import Received, Replay
from parley.session import Session
from parley.status import to_code
from parley.stream import Stream
from parley.varint import Fault, cut_text
from parley.window import Assembly, RecvWindow, SendWindow
from websockets.exceptions import ConnectionClosed, InvalidHeader
from websockets.frames import Close

from .vectors import vectors


class Quiet:
    """Hears what happens to a session, and does nothing. It is a link that loses what is sent, too."""

    def ready(self, resumed: bool) -> None: ...

    def detached(self, error: RpcError) -> None: ...

    def ended(self, error: RpcError, code: int) -> None: ...

    def goaway(self, goaway: Goaway) -> None: ...

    def accept(self, stream: Stream, header: bytes) -> None: ...

    def wake(self) -> None: ...

    def close(self, code: int, reason: str) -> None: ...

    def drop(self) -> None: ...


class Malformed(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        asyncio.get_running_loop().set_debug(False)  # which would print how long the cases take

    async def test_damaged_input_is_a_fault_and_nothing_else(self) -> None:
        dice = random.Random(1)
        cases = [bytes.fromhex(c["hex"]) for c in vectors("frames") + vectors("messages")]
        faults = 0
        for _ in range(20_000):
            data = bytearray(dice.choice(cases))
            for _ in range(dice.randrange(1, 4)):
                data[dice.randrange(len(data))] = dice.randrange(256)
            at = 0
            try:
                while at < len(data):
                    _, at = parse_frame(memoryview(data), at, 32_768)
            except Fault as e:
                self.assertIn(e.code, (1002, 1009))
                faults += 1
        self.assertGreater(faults, 5_000)

    async def test_a_session_survives_any_bytes(self) -> None:
        dice, quiet = random.Random(2), Quiet()
        cases = [bytes.fromhex(c["hex"]) for c in vectors("frames") + vectors("messages") + vectors("malformed")]
        ended = 0
        for _ in range(500):
            session = Session(Settings(), quiet)
            session.attach(quiet)
            session.receive(bytes.fromhex("010000"))
            session.open(lambda _: b"")
            session.next_message()
            for _ in range(10):
                session.receive(dice.choice(cases) + dice.randbytes(dice.randrange(3)))
                session.next_message()
            ended += session.error is not None
            session.close(1000, RpcError(Code.CANCELED))
        self.assertGreater(ended, 300)

    async def test_random_blocks_are_read_or_refused(self) -> None:
        dice = random.Random(3)
        for _ in range(5_000):
            try:
                parse_fields(dice.randbytes(dice.randrange(30)), (1, 2, 3, 4))
            except MalformedFields as e:
                self.assertIn(e.reason, ("key-zero", "duplicate", "truncated", "varint"))


class Compression(unittest.TestCase):
    def test_what_was_compressed_inflates(self) -> None:
        data = random.Random(1).randbytes(1000) * 3
        packed, marked = compression.compress(data)
        self.assertTrue(marked)
        self.assertEqual(compression.inflate(packed, len(data)), data)
        self.assertEqual(compression.inflate(gzip.compress(data) + gzip.compress(b"x"), 4000), data + b"x")

    def test_a_message_that_gets_no_shorter_stays_as_it_is(self) -> None:
        for data in (b"", bytes(511), random.Random(1).randbytes(2_000)):
            self.assertEqual(compression.compress(data), (data, False))
        self.assertTrue(compression.compress(bytes(512))[1])

    def test_inflating_stops_at_the_limit(self) -> None:
        bomb = gzip.compress(bytes(100 << 20))
        for limit in (0, 1, 65_536):
            with self.assertRaises(RpcError) as caught:
                compression.inflate(bomb, limit)
            self.assertEqual(caught.exception.code, Code.RESOURCE_EXHAUSTED)

    def test_many_members_are_refused(self) -> None:
        member = gzip.compress(b"")
        self.assertEqual(compression.inflate(member * 1_000, 0), b"")
        with self.assertRaises(RpcError) as caught:
            compression.inflate(member * 200_000, 1 << 20)
        self.assertEqual(caught.exception.code, Code.RESOURCE_EXHAUSTED)

    def test_what_is_not_gzip_is_an_error(self) -> None:
        whole = gzip.compress(b"hello")
        for data in (b"", b"hello", whole[:-1], whole + b"x", whole[:12]):
            with self.assertRaises(RpcError) as caught:
                compression.inflate(data, 1000)
            self.assertEqual(caught.exception.code, Code.INTERNAL)


class Windows(unittest.TestCase):
    def test_a_sender_keeps_its_credit(self) -> None:
        window = SendWindow(16_384)
        self.assertEqual(window.spend(20_000, 16_384), 16_352)
        self.assertEqual(window.spend(0, 16_384), -1)
        window.raise_limit(100)
        self.assertEqual(window.spend(0, 16_384), -1)
        window.raise_limit(16_384 + 4_127)
        self.assertEqual(window.spend(5_000, 16_384), -1)
        window.raise_limit(16_384 + 4_128)
        self.assertEqual(window.spend(5_000, 16_384), 4_096)

    def test_a_receiver_returns_credit_as_the_application_reads(self) -> None:
        window = RecvWindow(16_384)
        self.assertTrue(window.receive(16_384))
        self.assertEqual(window.consume(8_000), 0)
        self.assertEqual(window.consume(192), 16_384 + 8_192)
        self.assertFalse(window.receive(8_193))

    def test_one_message_goes_on_when_the_memory_is_used_up(self) -> None:
        assembly, retried = Assembly(100), []
        self.assertTrue(assembly.take("a", 90, lambda: None))
        self.assertTrue(assembly.take("b", 20, lambda: None))
        self.assertTrue(assembly.take("b", 1_000, lambda: None))
        self.assertFalse(assembly.take("a", 20, lambda: retried.append("a")))
        assembly.release("b")
        self.assertEqual(retried, ["a"])
        assembly.release("a")
        self.assertTrue(assembly.take("c", 100, lambda: None))


class Resuming(unittest.TestCase):
    def test_frames_are_kept_until_they_are_acknowledged(self) -> None:
        replay = Replay()
        for frame in (b"a", b"bb", b"ccc"):
            replay.add(frame)
        replay.ack(1)
        self.assertEqual((replay.bytes, replay.sent, replay.retransmitting), (5, 3, False))
        replay.rewind(2)
        self.assertEqual((replay.retransmit(), replay.retransmit()), (b"ccc", None))
        for received, rule in ((1, "A1"), (4, "A2")):
            with self.assertRaises(Fault) as caught:
                replay.ack(received)
            self.assertEqual(caught.exception.rule, rule)
        with self.assertRaises(Fault) as caught:
            replay.rewind(1)
        self.assertEqual(caught.exception.rule, "A8")

    def test_much_is_acknowledged_sooner(self) -> None:
        received, delays = Received(), []
        for size in (100, 8_192, 60_000):
            received.add(size)
            delays.append(received.delay(1 << 20))
        self.assertEqual(delays, [0.5, 0.005, 0])
        self.assertEqual((received.pending, received.ack(), received.pending), (True, 3, False))


class Times(unittest.IsolatedAsyncioTestCase):
    def test_backoff_is_random_grows_and_has_an_end(self) -> None:
        backoff = Backoff()
        self.assertEqual(backoff.delay(Reconnect.NOW), 0)
        delays = [backoff.delay(Reconnect.BACKOFF) for _ in range(200)]
        self.assertLessEqual(max(delays), MAX_DELAY)
        self.assertLessEqual(delays[0], 0.2)
        self.assertGreater(max(delays), MAX_DELAY / 2)
        self.assertLess(min(delays[20:]), MAX_DELAY / 4)
        self.assertLessEqual(max(backoff.delay(Reconnect.OVERLOAD) for _ in range(200)), MAX_LONG_DELAY)
        backoff.reset()
        self.assertEqual(backoff.delay(Reconnect.NOW), 0)

    async def test_keepalive_pings_and_then_gives_up(self) -> None:
        lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        pings = []
        keepalive = Keepalive(lambda: pings.append(1), lost.set_result)
        keepalive.start()
        keepalive.hello(0.05)
        self.assertIn("PING", await asyncio.wait_for(lost, 5))
        self.assertEqual(pings, [1])

    async def test_what_arrives_keeps_a_link(self) -> None:
        lost: list[str] = []
        keepalive = Keepalive(lambda: keepalive.heard(), lost.append)
        keepalive.start()
        keepalive.hello(0.01)
        await asyncio.sleep(0.2)
        keepalive.stop()
        self.assertEqual(lost, [])

    def test_retry_after_is_seconds_or_a_date(self) -> None:
        self.assertEqual([retry_after(v) for v in ("5", "500", "", "soon", "-1")], [5, 60, 0, 0, 0])
        self.assertTrue(20 < retry_after(formatdate(time.time() + 30, usegmt=True)) <= 30)
        self.assertEqual(retry_after(formatdate(0, usegmt=True)), 0)


class Codecs(unittest.TestCase):
    def test_repeated_fields_are_known_with_old_and_new_releases(self) -> None:
        for name, repeated in (("fields", True), ("name", False)):
            field = Type.DESCRIPTOR.fields_by_name[name]
            self.assertEqual(is_repeated(field), repeated)
            self.assertEqual(is_repeated(SimpleNamespace(is_repeated=repeated)), repeated)

    def test_unknown_names_of_enum_values_are_skipped_everywhere(self) -> None:
        data = b'{"syntax": "SYNTAX_NEW", "fields": [{"kind": "TYPE_NEW", "name": "a"}, {"cardinality": "1"}], "new": 1}'
        message = CODECS["json"].decode(data, Type)
        self.assertEqual([(f.name, f.kind, f.cardinality) for f in message.fields], [("a", 0, 0), ("", 0, 1)])

    def test_maps_and_well_known_types_keep_their_mapping(self) -> None:
        for data in (b'{"a": [1, {"b": null}], "c": "d"}', b"{}"):
            message = CODECS["json"].decode(data, Struct)
            self.assertEqual(CODECS["json"].decode(CODECS["json"].encode(message), Struct), message)
        for wrong in (b'{"a": 1, "a": 2}', b"[" * 100_000, b"{", b'{"fields": 1}'):
            with self.assertRaises(ValueError):
                CODECS["json"].decode(wrong, Type)


class Codes(unittest.TestCase):
    def test_handshakes_have_the_status_of_the_vectors(self) -> None:
        cases = [c for c in vectors("handshake") if c["side"] == "dialer" and c["status"] != 101]
        self.assertGreater(len(cases), 5)
        for case in cases:
            with self.subTest(case["name"]):
                self.assertEqual(http_code(case["status"], case.get("versions", "")), case["caller"])

    def test_a_redirect_to_nowhere_is_a_redirect(self) -> None:
        self.assertEqual(dial_error("ws://a.example/", InvalidHeader("Location")).code, Code.UNIMPLEMENTED)
        self.assertEqual(dial_error("ws://a.example/", InvalidHeader("Upgrade")).code, Code.UNAVAILABLE)

    def test_close_codes_of_scripts_mean_the_plain_ones(self) -> None:
        codes = {4000: 1000, 4102: 1002, 4112: 1012, 1005: LOST, 4016: 4016}
        self.assertEqual({c: standard_code(c) for c in codes}, codes)
        self.assertEqual(close_action(4014), (Code.UNAVAILABLE, Reconnect.OVERLOAD))
        self.assertEqual(close_action(4016), (Code.UNAUTHENTICATED, Reconnect.NEVER))
        self.assertEqual(close_action(3000), (Code.UNAVAILABLE, Reconnect.BACKOFF))

    def test_a_fault_that_the_library_finds_is_a_lost_link(self) -> None:
        broken, large, peer = Close(1002, ""), Close(1009, ""), Close(4102, "why")
        ends = (
            ((None, None, None), (LOST, "")),
            ((None, broken, None), (LOST, "")),
            ((broken, broken, False), (LOST, "")),
            ((None, large, None), (1009, "")),
            ((peer, peer, True), (1002, "why")),
        )
        for (received, sent, order), want in ends:
            self.assertEqual(closed_by(ConnectionClosed(received, sent, order)), want)

    def test_resets_have_a_status(self) -> None:
        codes = {1: 1, 2: 14, 3: 8, 4: 13, 5: 13, 99: 13, 256: 2, 261: 5, 300: 2}
        self.assertEqual({c: reset_error(c, "").code for c in codes}, codes)
        self.assertTrue(reset_error(2, "").unprocessed)
        self.assertEqual(to_code(17), Code.UNKNOWN)

    def test_an_address_elsewhere_is_ignored(self) -> None:
        url, near = "wss://a.example:1/rpc", "wss://a.example:1/other"
        self.assertEqual(same_origin(url, near), near)
        for address in ("ws://a.example:1/", "wss://b.example:1/", "wss://a.example/", "wss://u@a.example:1/", "", "wss://a:x"):
            self.assertEqual(same_origin(url, address), "", address)

    def test_text_is_cut_between_characters(self) -> None:
        self.assertEqual(cut_text("a\u00e4\u00e4", 4), "a\u00e4".encode())
