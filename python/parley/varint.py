"""Varints, and the fault that a peer's malformed bytes cause (PROTOCOL.md, section 2.1)."""

from __future__ import annotations

LARGEST = 2**53 - 1

Bytes = bytes | bytearray | memoryview


class Fault(Exception):
    """A rule of the protocol that the peer has broken. The link closes with code, and the session ends."""

    def __init__(self, rule: str, code: int = 1002, what: str = "") -> None:
        super().__init__(f"rule {rule} of the protocol is broken{what and ': ' + what}")
        self.rule = rule
        self.code = code


class MalformedVarint(Exception):
    """Bytes that are no varint. The reason is truncated, non-minimal or too-large."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"malformed varint: {reason}")
        self.reason = reason


def encode_varint(value: int) -> bytes:
    """Returns the varint of a number from 0 to 2^53-1."""
    if value < 0x80:
        if value < 0:
            raise ValueError(f"{value} is negative: a varint is at least 0")
        return bytes((value,))
    if value > LARGEST:
        raise ValueError(f"{value} is too large: a varint is below 2^53")
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def decode_varint(data: Bytes, at: int) -> tuple[int, int]:
    """Reads a varint at an offset. It returns the value and the offset behind it."""
    value = shift = 0
    for i in range(at, min(at + 8, len(data))):
        byte = data[i]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if byte == 0 and shift:
                raise MalformedVarint("non-minimal")
            if value > LARGEST:
                raise MalformedVarint("too-large")
            return value, i + 1
        shift += 7
    raise MalformedVarint("too-large" if len(data) - at >= 8 else "truncated")


def decode_only_varint(payload: Bytes) -> int:
    """Reads a payload that is exactly one varint, as that of ACK and WINDOW."""
    try:
        value, end = decode_varint(payload, 0)
    except MalformedVarint as e:
        raise Fault("F10", what=str(e)) from None
    if end != len(payload):
        raise Fault("F10", what="bytes behind the number")
    return value


def decode_text(data: Bytes) -> str:
    """Decodes text of the peer. U+FFFD replaces invalid bytes."""
    return bytes(data).decode("utf-8", "replace")


def cut_text(text: str, size: int) -> bytes:
    """Returns the longest beginning of the text that has at most size bytes of whole characters."""
    data = text.encode("utf-8", "replace")
    if len(data) <= size:
        return data
    return data[:size].decode("utf-8", "ignore").encode()
