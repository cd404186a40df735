"""GOAWAY: the notice, the final word, and the status that ends a session (PROTOCOL.md, sections 4.12 and 10)."""

from __future__ import annotations

from dataclasses import dataclass

from .fields import Field, MalformedFields, Values, encode_fields, parse_fields
from .frame import MAX_TEXT
from .varint import LARGEST, Bytes, Fault, cut_text, decode_text


@dataclass(frozen=True)
class Goaway:
    """What a GOAWAY says. The delay is in milliseconds."""

    last_stream: int = 0
    status: int = 0
    delay: int = 0
    reason: str = ""
    address: str = ""

    @property
    def notice(self) -> bool:
        """Reports whether it only announces that the final GOAWAY will come."""
        return self.last_stream == LARGEST and self.status == 0


NOTICE = Goaway(LARGEST)


def encode_goaway(goaway: Goaway) -> bytes:
    """Returns the payload of GOAWAY."""
    fields: list[Field] = [(2, goaway.last_stream)]
    fields += [(key, value) for key, value in ((4, goaway.status), (6, goaway.delay)) if value]
    fields += [(key, cut_text(text, MAX_TEXT)) for key, text in ((1, goaway.reason), (3, goaway.address)) if text]
    return encode_fields(fields)


def parse_goaway(payload: Bytes) -> Goaway:
    """Returns what a GOAWAY says."""
    try:
        values = Values(parse_fields(payload, (2, 4, 6, 1, 3)))
    except MalformedFields as e:
        rules = {"key-zero": "B1", "duplicate": "B2", "truncated": "B3", "varint": "B4"}
        raise Fault(rules[e.reason], what="GOAWAY") from None
    reason, address = values.data(1) or b"", values.data(3) or b""
    if max(len(reason), len(address)) > MAX_TEXT:
        raise Fault("F12", what="a reason or an address above 1,024 bytes")
    return Goaway(
        values.number(2) or 0,
        values.number(4) or 0,
        values.number(6) or 0,
        decode_text(reason),
        decode_text(address),
    )
