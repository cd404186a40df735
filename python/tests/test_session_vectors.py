"""The specification's vectors of sessions. This client always dials: what they say of an acceptor holds with ids exchanged."""

from __future__ import annotations

import asyncio
import contextlib
import unittest
from typing import Any

from parley import frame as f
from parley.closecode import LOST
from parley.fields import encode_fields, parse_fields
from parley.frame import Frame, encode_frame, parse_frame
from parley.goaway import Goaway
from parley.hello import Settings, parse_hello
from parley.session import Session
from parley.status import Code, RpcError
from parley.stream import Stream
from parley.varint import Fault

from .vectors import vectors


def acceptors_only(case: dict[str, Any]) -> bool:
    """Reports what only an acceptor does: it reads a HELLO that asks to resume, and drains in two steps."""
    if case["side"] != "acceptor":
        return False
    does = {step.get("do") for step in case["steps"]}
    return case.get("rule") in ("N8", "A7") or bool(does & {"resume", "announce", "goaway", "replace"})


def mirrored(id: int) -> int:
    """Returns the id that the stream would have if the ends were exchanged."""
    if id == 0:
        return 0
    return id + 1 if id % 2 else id - 1


def mirror(data: bytes) -> bytes:
    """Returns the same link message as the peer sends it."""
    at, out = 0, b""
    while at < len(data):
        start = at
        try:
            frame, at = parse_frame(memoryview(data), at, 1 << 20)
        except Fault:
            return out + data[start:]
        if frame.ignorable:
            out += data[start:at]
            continue
        payload = bytes(frame.payload)
        if frame.type == f.HELLO and any(key == 14 for key, _ in parse_fields(payload)):
            payload = encode_fields([*parse_fields(payload), (1, bytes([1] * 16)), (3, bytes([2] * 32))])
        out += encode_frame(frame.type, frame.flags, mirrored(frame.stream), payload)
    return out


class Wire:
    """A link that keeps what is sent."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.closed: int | None = None

    def wake(self) -> None:
        pass

    def close(self, code: int, reason: str) -> None:
        self.closed = code

    def drop(self) -> None:
        pass


class Run:
    """A case at work."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.flip = case["side"] == "acceptor"
        self.session = Session(Settings(**case.get("settings", {})), self)
        self.wire = Wire()
        self.session.attach(self.wire)
        self.streams: dict[int, Stream] = {}
        self.trailers: dict[int, bytes] = {}
        self.sends: list[asyncio.Task[bool]] = []

    def ready(self, resumed: bool) -> None:
        pass

    def detached(self, error: RpcError) -> None:
        pass

    def ended(self, error: RpcError, code: int) -> None:
        pass

    def goaway(self, goaway: Goaway) -> None:
        pass

    def accept(self, stream: Stream, header: bytes) -> None:
        self.streams[stream.id] = stream

    def id(self, id: int) -> int:
        return mirrored(id) if self.flip else id

    async def settle(self) -> None:
        """Lets tasks run, and sends what is ready."""
        for _ in range(3):
            await asyncio.sleep(0)
        while message := self.session.next_message():
            at = 0
            while at < len(message):
                frame, at = parse_frame(memoryview(message), at, 1 << 20)
                self.wire.frames.append(frame)

    async def step(self, step: dict[str, Any]) -> None:
        id = self.id(step.get("stream", 0))
        match step.get("do"):
            case "open":
                stream = self.session.open(lambda _: b"")
                await self.settle()
                assert stream.id == id, stream.id
                self.streams[id] = stream
                stream.events = Trailer(self.trailers, id)
            case "end":
                self.sends.append(asyncio.ensure_future(self.streams[id].end()))
            case "lose":
                self.session.link_closed(LOST, "")
            case "close":
                self.session.link_closed(step["code"], "")
            case "retire":
                self.session.stop_opening()
            case "resume":
                self.wire = Wire()
                self.session.attach(self.wire)
            case _:
                data = (bytes.fromhex(step.get("receive", "")) + bytes(step.get("zeros", 0))) * step.get("times", 1)
                data += bytes.fromhex(step.get("behind", ""))
                self.session.receive(mirror(data) if self.flip else data)
        await self.settle()


class Trailer:
    """Keeps the trailer of a stream."""

    def __init__(self, trailers: dict[int, bytes], id: int) -> None:
        self.trailers = trailers
        self.id = id

    def on_header(self, block: bytes) -> None:
        pass

    def on_end(self, trailer: bytes) -> None:
        self.trailers[self.id] = trailer

    def on_fail(self, error: RpcError) -> None:
        pass


class SessionVectors(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        asyncio.get_running_loop().set_debug(False)  # which would print how long the cases take

    async def test_sessions_react_as_the_vectors_say(self) -> None:
        cases = [c for c in vectors("session") + vectors("states") if not acceptors_only(c)]
        self.assertGreater(len(cases), 140)
        for case in cases:
            with self.subTest(case["name"]):
                run = Run(case)
                for step in case["steps"]:
                    await run.step(step)
                await self.check(run, case)
                run.session.close(1000, RpcError(Code.CANCELED))
                for task in run.sends:
                    with contextlib.suppress(RpcError):
                        await task

    async def check(self, run: Run, case: dict[str, Any]) -> None:
        expect = case["expect"]
        for want in expect.get("streams", []):
            stream = run.streams[run.id(want["stream"])]
            for message in want["messages"]:
                got = await stream.receive()
                self.assertEqual(got.data.hex() if got else None, message)
            self.assertIsNone(await stream.receive())
            self.assertEqual(run.trailers[stream.id].hex(), want["trailer"])
        if "hello" in expect:
            values = dict(parse_fields(run.wire.frames[0].payload))
            self.assertEqual({"received": values.get(18), "attempt": values.get(22)}, expect["hello"])
        if "sent" in expect:
            sent = [fr for fr in run.wire.frames if fr.type not in (f.HELLO, f.WINDOW, f.PING)]
            self.assertEqual([encode_frame(*fr).hex() for fr in sent], expect["sent"])
            return
        hidden = (f.HELLO, f.OPEN, f.END, f.WINDOW, f.ACK, f.PING)
        seen = [fr for fr in run.wire.frames if fr.type not in hidden]
        got_resets = [(fr.stream, f.parse_reset(fr.payload)[0]) for fr in seen if fr.type == f.RESET]
        want_resets = [(run.id(r["stream"]), r["code"]) for r in expect.get("resets", [])]
        pongs = [bytes(fr.payload).hex() for fr in seen if fr.type == f.PONG]
        self.assertEqual(got_resets, want_resets)
        self.assertEqual(pongs, [expect["pong"]] if "pong" in expect else [])
        self.assertEqual(run.wire.closed, expect.get("close"))
        if "close" in expect:
            self.assertIn(f"rule {case['rule']} ", str(run.session.error))

    async def test_malformed_link_messages_close_the_link_as_the_vectors_say(self) -> None:
        for case in (c for c in vectors("malformed") if c.get("from") != "dialer"):
            for before in ("nothing", "stream 1 open", "stream 1 closed"):
                with self.subTest(case["name"], before=before):
                    settings = {"max_frame": case["max_frame"]} if "max_frame" in case else {}
                    run = Run({"side": "dialer", "settings": settings})
                    await run.settle()
                    if before != "nothing":
                        await run.step({"receive": "010000"})
                        await run.step({"do": "open", "stream": 1})
                    if before == "stream 1 closed":
                        await run.step({"receive": "06010101"})
                    await run.step({"receive": case["hex"]})
                    self.assertEqual(run.wire.closed, case["code"])
                    if case["hex"].startswith("01") == (before == "nothing"):
                        self.assertIn(f"rule {case['rule']} ", str(run.session.error))

    async def test_hello_of_an_acceptor_is_read(self) -> None:
        hello = parse_hello(encode_fields([(2, 20_000), (5, b"x")]))
        self.assertEqual((hello.settings.max_frame, hello.agent), (20_000, "x"))
