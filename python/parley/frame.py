"""Frames: how they are laid out, and what is malformed about them alone (PROTOCOL.md, section 4)."""

from __future__ import annotations

from typing import NamedTuple

from .varint import Bytes, Fault, MalformedVarint, cut_text, decode_only_varint, decode_text, decode_varint, encode_varint

HELLO, OPEN, HEADER, DATA, END, RESET, WINDOW, ACK, PING, PONG, GOAWAY = range(1, 12)
NAMES = ("", "HELLO", "OPEN", "HEADER", "DATA", "END", "RESET", "WINDOW", "ACK", "PING", "PONG", "GOAWAY")

FLAG_END, FLAG_MORE, FLAG_MARK, FLAG_IGNORABLE = 0x10, 0x20, 0x40, 0x80

# The codes of RESET.
CANCEL, REFUSED, LIMIT, PROTOCOL, INTERNAL = range(1, 6)

# The flags that each known type may have.
_FLAGS = {OPEN: FLAG_END, DATA: FLAG_END | FLAG_MORE | FLAG_MARK}
_OF_SESSION = frozenset((HELLO, ACK, PING, PONG, GOAWAY))
_SEQUENCED = frozenset((OPEN, HEADER, DATA, END, RESET, GOAWAY))

MAX_LINK_OVERHEAD = 65_552
LAST_START = 65_536  # frames begin before this offset of a link message
MAX_HELLO = 4_096
MAX_TEXT = 1_024


class Frame(NamedTuple):
    """A frame. The payload of a frame that was read is a view of its link message."""

    type: int
    flags: int
    stream: int
    payload: Bytes

    @property
    def sequenced(self) -> bool:
        """Reports whether the frame counts for received and ACK."""
        return self.type in _SEQUENCED

    @property
    def ignorable(self) -> bool:
        """Reports whether a receiver skips the frame."""
        return self.type > GOAWAY


def encode_frame(type: int, flags: int, stream: int, payload: Bytes) -> bytes:
    """Returns the bytes of a frame."""
    return b"".join((bytes((type | flags,)), encode_varint(stream), encode_varint(len(payload)), payload))


def parse_frame(data: memoryview, at: int, max_frame: int) -> tuple[Frame, int]:
    """Reads the frame at an offset of a link message. It returns the frame and the offset behind it."""
    head = data[at]
    type, flags = head & 0x0F, head & 0xF0
    if type == 0:
        raise Fault("F1", what="a frame of type 0")
    if type > GOAWAY:
        if not flags & FLAG_IGNORABLE:
            raise Fault("F2", what=f"a frame of the unknown type {type}")
    elif flags & ~_FLAGS.get(type, 0):
        raise Fault("F4", what=f"flags {flags:#x} on {NAMES[type]}")
    elif flags & FLAG_END and flags & FLAG_MORE:
        raise Fault("F5", what="DATA with END and MORE")
    stream, at = _read(data, at + 1)
    if type <= GOAWAY and (stream == 0) != (type in _OF_SESSION):
        raise Fault("F7", what=f"{NAMES[type]} on stream {stream}")
    size, at = _read(data, at)
    if size > max_frame:
        raise Fault("F8", 1009, f"a frame of {size} bytes, and at most {max_frame} are allowed")
    if at + size > len(data):
        raise Fault("F9", what="the link message ends inside a frame")
    if flags & FLAG_MORE and type == DATA and size == 0:
        raise Fault("F13", what="DATA with MORE and without payload")
    frame = Frame(type, flags, stream, data[at : at + size])
    if type in _CHECKS:
        _CHECKS[type](frame.payload)
    return frame, at + size


def _read(data: memoryview, at: int) -> tuple[int, int]:
    try:
        return decode_varint(data, at)
    except MalformedVarint as e:
        raise Fault("F9" if e.reason == "truncated" else "F6", what=str(e)) from None


def encode_reset(code: int, reason: str = "") -> bytes:
    """Returns the payload of RESET."""
    return encode_varint(code) + cut_text(reason, MAX_TEXT)


def parse_reset(payload: Bytes) -> tuple[int, str]:
    """Returns the code and the reason of RESET."""
    try:
        code, at = decode_varint(payload, 0)
    except MalformedVarint as e:
        raise Fault("F10", what=str(e)) from None
    if code == 0:
        raise Fault("F11", what="RESET with code 0")
    if len(payload) - at > MAX_TEXT:
        raise Fault("F12", what="a reason above 1,024 bytes")
    return code, decode_text(payload[at:])


def _check_ping(payload: Bytes) -> None:
    if len(payload) != 8:
        raise Fault("F10", what="PING or PONG of other than 8 bytes")


def _check_hello(payload: Bytes) -> None:
    if len(payload) > MAX_HELLO:
        raise Fault("F14", what="HELLO above 4,096 bytes")


# A malformed payload is a fault even where the frame has no effect.
_CHECKS = {
    HELLO: _check_hello,
    RESET: parse_reset,
    WINDOW: decode_only_varint,
    ACK: decode_only_varint,
    PING: _check_ping,
    PONG: _check_ping,
}
