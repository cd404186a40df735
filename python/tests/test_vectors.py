"""The specification's vectors of varints, fields, frames and blocks of calls."""

from __future__ import annotations

import unittest
from typing import Any

from google.protobuf.type_pb2 import Type
from parley import callwire
from parley import frame as f
from parley.codec import CODECS
from parley.fields import MalformedFields, encode_fields, parse_fields
from parley.frame import Frame, encode_frame, parse_frame
from parley.goaway import Goaway, encode_goaway, parse_goaway
from parley.hello import parse_hello
from parley.metadata import Metadata, TooManyPairs
from parley.status import to_code
from parley.varint import Fault, MalformedVarint, decode_only_varint, decode_varint, encode_varint
from parley.window import FRAME_COST

from .vectors import fields, vectors

FLAGS = {"END": f.FLAG_END, "MORE": f.FLAG_MORE, "MARK": f.FLAG_MARK, "IGNORABLE": f.FLAG_IGNORABLE}


def read_frames(data: bytes, max_frame: int) -> list[Frame]:
    """Cuts a link message into frames."""
    at, frames = 0, []
    while at < len(data):
        frame, at = parse_frame(memoryview(data), at, max_frame)
        frames.append(frame)
    return frames


class VarintVectors(unittest.TestCase):
    def test_varints_are_read_and_written_as_the_vectors_say(self) -> None:
        for case in vectors("varint"):
            with self.subTest(case["name"]):
                data = bytes.fromhex(case["hex"])
                if "error" in case:
                    with self.assertRaises(MalformedVarint) as caught:
                        decode_varint(data, 0)
                    self.assertEqual(caught.exception.reason, case["error"])
                else:
                    self.assertEqual(decode_varint(data, 0), (case["value"], len(data)))
                    self.assertEqual(encode_varint(case["value"]), data)

    def test_numbers_out_of_range_are_not_written(self) -> None:
        for value in (-1, 2**53):
            with self.assertRaises(ValueError):
                encode_varint(value)


class FieldsVectors(unittest.TestCase):
    def test_fields_are_read_and_written_as_the_vectors_say(self) -> None:
        for case in vectors("fields"):
            with self.subTest(case["name"]):
                data = bytes.fromhex(case["hex"])
                known, repeated = case.get("known", []), case.get("repeated", [])
                if "error" in case:
                    with self.assertRaises(MalformedFields) as caught:
                        parse_fields(data, known, repeated)
                    self.assertEqual(caught.exception.reason, case["error"])
                else:
                    self.assertEqual(parse_fields(data, known, repeated), fields(case))
                    self.assertEqual(encode_fields(fields(case)), data)


class FrameVectors(unittest.TestCase):
    def test_frames_are_read_and_written_as_the_vectors_say(self) -> None:
        for case in vectors("frames") + vectors("messages"):
            with self.subTest(case["name"]):
                data = bytes.fromhex(case["hex"])
                frames = read_frames(data, 32_768)
                self.assertEqual(len(frames), len(case["frames"]))
                written = b""
                for frame, want in zip(frames, case["frames"]):
                    self.check(frame, want)
                    written += self.write(frame, want)
                self.assertEqual(written, data)

    def check(self, frame: Frame, want: dict[str, Any]) -> None:
        name = f.NAMES[frame.type] if not frame.ignorable else str(frame.type)
        self.assertEqual(name, want["type"])
        self.assertEqual(bytes(frame.payload).hex(), want["payload"])
        self.assertEqual(frame.sequenced, want["sequenced"])
        self.assertEqual(frame.stream, want["stream"])
        if frame.ignorable:
            self.assertEqual(frame.type | frame.flags, want.get("head", frame.type | frame.flags))
            return
        self.assertEqual(frame.flags, sum(FLAGS[name] for name in want["flags"]))
        if "cost" in want:
            self.assertEqual(len(frame.payload) + FRAME_COST, want["cost"])
        if "code" in want:
            self.assertEqual(f.parse_reset(frame.payload), (want["code"], want["reason"]))
        for number in ("limit", "received"):
            if number in want:
                self.assertEqual(decode_only_varint(frame.payload), want[number])
        if "hello" in want:
            self.check_hello(frame, want["hello"])
        if "goaway" in want:
            self.assertEqual(parse_goaway(frame.payload), Goaway(**want["goaway"]))

    def check_hello(self, frame: Frame, want: dict[str, Any]) -> None:
        hello = parse_hello(frame.payload)
        for name, value in want.items():
            if name in ("session", "token"):
                self.assertEqual(getattr(hello.ref, name).hex(), value)
            elif name in ("replaces", "replaces_token"):
                part = {"replaces": "session", "replaces_token": "token"}[name]
                self.assertEqual(getattr(hello.replaces, part).hex(), value)
            else:
                got = getattr(hello, name) if hasattr(hello, name) else getattr(hello.settings, name)
                self.assertEqual(got, value, name)

    def write(self, frame: Frame, want: dict[str, Any]) -> bytes:
        payload = encode_fields(fields(want)) if "fields" in want else frame.payload
        return encode_frame(frame.type, frame.flags, frame.stream, payload)

    def test_malformed_link_messages_break_the_rule_of_the_vectors(self) -> None:
        # What a session alone knows is in the tests of sessions.
        cases = [c for c in vectors("malformed") if c["stage"] != "session" and c["rule"] not in ("L2", "L9")]
        for case in cases:
            if case.get("from") == "dialer":
                continue  # a HELLO that this end never reads
            with self.subTest(case["name"]), self.assertRaises(Fault) as caught:
                for frame in read_frames(bytes.fromhex(case["hex"]), case.get("max_frame", 16_384)):
                    if frame.type == f.HELLO:
                        parse_hello(frame.payload)
                    elif frame.type == f.GOAWAY:
                        parse_goaway(frame.payload)
            with self.subTest(case["name"]):
                self.assertEqual((caught.exception.rule, caught.exception.code), (case["rule"], case["code"]))

    def test_goaway_is_written_as_it_is_read(self) -> None:
        for goaway in (Goaway(), Goaway(5, 14, 100, "r\u00e4son", "wss://b/rpc"), Goaway(2**53 - 1)):
            self.assertEqual(parse_goaway(encode_goaway(goaway)), goaway)


class CallVectors(unittest.TestCase):
    def test_blocks_of_calls_are_read_as_the_vectors_say(self) -> None:
        parse = {"OPEN": callwire.parse_open, "HEADER": callwire.parse_header, "END": callwire.parse_end}
        for case in vectors("rpc"):
            with self.subTest(case["name"]):
                data = bytes.fromhex(case["hex"])
                if "error" in case:
                    wrong = TooManyPairs if case["error"] == "too-many-pairs" else callwire.MalformedBlock
                    with self.assertRaises(wrong):
                        parse[case["block"]](data)
                else:
                    self.check(parse[case["block"]](data), case)

    def check(self, block: Any, case: dict[str, Any]) -> None:
        names = {"method_alias": "alias", "accept_encoding": "accept"}
        for name, value in case["call"].items():
            got = getattr(block, names.get(name, name))
            if name == "metadata":
                pairs = [(p["key"], bytes.fromhex(p["value"])) for p in value if not p["key"].startswith("parley-")]
                got = [(k, v if isinstance(v, bytes) else v.encode()) for k, v in got]
                self.assertEqual(got, pairs)
            elif name == "details":
                self.assertEqual([d.hex() for d in got], value)
            else:
                self.assertEqual(got, value)
        if "means_status" in case:
            self.assertEqual(to_code(block.status), case["means_status"])

    def test_blocks_of_calls_are_written_as_they_are_read(self) -> None:
        pairs = Metadata([("a", "b"), ("a", ""), ("c-bin", b"\x00\xff")])
        opened = callwire.CallOpen("a/b", 0, 5, "json", "gzip", "gzip", pairs)
        self.assertEqual(callwire.parse_open(callwire.encode_open(opened)), opened)
        header = callwire.CallHeader("gzip", pairs)
        self.assertEqual(callwire.parse_header(callwire.encode_header(header)), header)
        end = callwire.CallEnd(5, "gone", pairs, [b"abc"])
        self.assertEqual(callwire.parse_end(callwire.encode_end(end, 4096)), end)

    def test_end_beyond_the_limit_keeps_its_status(self) -> None:
        end = callwire.CallEnd(5, "x" * 5000, Metadata({"k": "v" * 1000}), [b"d" * 1000])
        block = callwire.encode_end(end, 4096)
        self.assertLessEqual(len(block), 4096)
        got = callwire.parse_end(block)
        self.assertEqual((got.status, got.message[:10], got.details, len(got.metadata)), (5, "x" * 10, [], 0))

    def test_messages_are_read_as_the_vectors_say(self) -> None:
        for case in vectors("codec"):
            with self.subTest(case["name"]):
                codec, data = CODECS[case["codec"]], bytes.fromhex(case["hex"])
                if "rule" in case:
                    with self.assertRaises(ValueError):
                        codec.decode(data, Type)
                else:
                    message = codec.decode(data, Type)
                    message.DiscardUnknownFields()
                    self.assertEqual(message.SerializeToString(deterministic=True).hex(), case["means"])
