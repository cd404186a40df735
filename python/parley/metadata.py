"""Metadata of calls: keys and values beside the messages (PROTOCOL.md, section 11.5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from .varint import MalformedVarint, decode_varint, encode_varint

MAX_PAIRS = 256
_KEY = re.compile(r"[a-z0-9_.-]+\Z")
_TEXT = re.compile(r"[\x20-\x7e]*\Z")

Value = str | bytes


class Metadata:
    """
    Pairs of a key and a value, in order. A key may occur several times.

    Keys are ASCII letters, digits, "_", "-" and ".", and become lower case. A value is printable ASCII text, or bytes
    if the key ends in "-bin".
    """

    def __init__(self, pairs: Mapping[str, Value] | Iterable[tuple[str, Value]] = ()) -> None:
        self._pairs: list[tuple[str, Value]] = []
        for key, value in pairs.items() if isinstance(pairs, Mapping) else pairs:
            self.add(key, value)

    def add(self, key: str, value: Value) -> None:
        """Adds a pair. It raises ValueError or TypeError if the pair is not allowed."""
        key = key.lower()
        if key.startswith("parley-"):
            raise ValueError(f"metadata {key!r}: keys that begin with parley- are reserved")
        if len(self._pairs) == MAX_PAIRS:
            raise ValueError(f"metadata {key!r}: there are {MAX_PAIRS} pairs, and no more are allowed")
        self._pairs.append(checked(key, value))

    def get(self, key: str) -> Value | None:
        """Returns the first value of a key, None if there is none."""
        return next((v for k, v in self._pairs if k == key.lower()), None)

    def all(self, key: str) -> list[Value]:
        """Returns the values of a key in order."""
        return [v for k, v in self._pairs if k == key.lower()]

    def __iter__(self) -> Iterator[tuple[str, Value]]:
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Metadata) and self._pairs == other._pairs

    def __repr__(self) -> str:
        return f"Metadata({self._pairs!r})"


# What a call takes as metadata.
MetadataLike = Metadata | Mapping[str, Value] | list[tuple[str, Value]] | tuple[tuple[str, Value], ...]


class MalformedMetadata(Exception):
    """A metadata field of the peer that breaks the rules."""


class TooManyPairs(Exception):
    """A block with more than 256 pairs."""


def checked(key: str, value: Value) -> tuple[str, Value]:
    """Returns the pair if it is allowed."""
    if not _KEY.match(key):
        raise ValueError(f"metadata {key!r}: a key has letters a to z, digits, '_', '-' and '.' only")
    if key.endswith("-bin"):
        if not isinstance(value, (bytes, bytearray)):
            raise TypeError(f"metadata {key!r}: the value of a key with -bin has to be bytes")
        return key, bytes(value)
    if not isinstance(value, str):
        raise TypeError(f"metadata {key!r}: the value has to be a str; bytes need a key that ends in -bin")
    if not _TEXT.match(value):
        raise ValueError(f"metadata {key!r}: the value has to be printable ASCII; other text needs a key with -bin")
    return key, value


def encode_pair(key: str, value: Value) -> bytes:
    """Returns the value of a metadata field."""
    data = value.encode("ascii") if isinstance(value, str) else value
    return encode_varint(len(key)) + key.encode("ascii") + data


def parse_pairs(values: list[bytes]) -> Metadata:
    """Returns the pairs of a block without those that are reserved."""
    if len(values) > MAX_PAIRS:
        raise TooManyPairs
    metadata = Metadata()
    for field in values:
        key, value = parse_pair(field)
        if not key.startswith("parley-"):
            metadata.add(key, value)
    return metadata


def parse_pair(field: bytes) -> tuple[str, Value]:
    """Returns the key and the value of a metadata field."""
    try:
        size, at = decode_varint(field, 0)
        if at + size > len(field):
            raise MalformedMetadata("a metadata field ends inside its key")
        key = field[at : at + size].decode("ascii")
        data = field[at + size :]
        return checked(key, data if key.endswith("-bin") else data.decode("ascii"))
    except (MalformedVarint, ValueError) as e:
        raise MalformedMetadata(str(e)) from None
