"""Fields blocks: the payloads of HELLO, GOAWAY, and of the OPEN, HEADER and END of calls (PROTOCOL.md, section 2.2)."""

from __future__ import annotations

from collections.abc import Iterable

from .varint import Bytes, MalformedVarint, decode_varint, encode_varint

Field = tuple[int, int | bytes]


class MalformedFields(Exception):
    """A block that breaks the rules. The reason is key-zero, duplicate, truncated or varint."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"malformed fields block: {reason}")
        self.reason = reason


def encode_fields(fields: Iterable[Field]) -> bytes:
    """Returns the block of fields: numbers at even keys, bytes at odd ones."""
    out = bytearray()
    for key, value in fields:
        out += encode_varint(key)
        if isinstance(value, int):
            out += encode_varint(value)
        else:
            out += encode_varint(len(value))
            out += value
    return bytes(out)


def parse_fields(block: Bytes, known: Iterable[int] = (), repeated: Iterable[int] = ()) -> list[Field]:
    """Returns the fields of a block in order. A known key that is not repeated occurs at most once."""
    single = set(known) - set(repeated)
    seen: set[int] = set()
    fields: list[Field] = []
    at = 0
    while at < len(block):
        key, at = _read(block, at)
        if key == 0:
            raise MalformedFields("key-zero")
        if key in single:
            if key in seen:
                raise MalformedFields("duplicate")
            seen.add(key)
        value, at = _read(block, at)
        if key % 2:
            end = at + value
            if end > len(block):
                raise MalformedFields("truncated")
            fields.append((key, bytes(block[at:end])))
            at = end
        else:
            fields.append((key, value))
    return fields


def _read(block: Bytes, at: int) -> tuple[int, int]:
    if at == len(block):
        raise MalformedFields("truncated")
    try:
        return decode_varint(block, at)
    except MalformedVarint as e:
        raise MalformedFields("truncated" if e.reason == "truncated" else "varint") from None


class Values:
    """The known fields of a block by key."""

    def __init__(self, fields: Iterable[Field]) -> None:
        self._numbers: dict[int, int] = {}
        self._bytes: dict[int, list[bytes]] = {}
        for key, value in fields:
            if isinstance(value, int):
                self._numbers[key] = value
            else:
                self._bytes.setdefault(key, []).append(value)

    def number(self, key: int) -> int | None:
        """Returns the number at a key, None if it is absent."""
        return self._numbers.get(key)

    def data(self, key: int) -> bytes | None:
        """Returns the bytes at a key, None if they are absent."""
        values = self._bytes.get(key)
        return values[0] if values else None

    def all(self, key: int) -> list[bytes]:
        """Returns the values of a repeated key."""
        return self._bytes.get(key, [])
