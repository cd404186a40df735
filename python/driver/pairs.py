"""Pairs of metadata, as the runner writes them: bytes are base64 without padding."""

from __future__ import annotations

import base64
from collections.abc import Iterable

from conformance.v1.service_pb2 import Pair
from parley import Metadata


def from_pairs(pairs: Iterable[Pair]) -> Metadata:
    """Returns pairs as metadata."""
    metadata = Metadata()
    add_pairs(metadata, pairs)
    return metadata


def add_pairs(metadata: Metadata, pairs: Iterable[Pair]) -> None:
    """Adds pairs to metadata."""
    for pair in pairs:
        binary = pair.key.endswith("-bin")
        metadata.add(pair.key, base64.b64decode(pair.value + "==") if binary else pair.value)


def to_pairs(metadata: Metadata) -> list[Pair]:
    """Returns the pairs that belong to the tests, ordered by key."""
    shown = [(key, value) for key, value in metadata if key.startswith(("x-", "parley-"))]
    return [Pair(key=key, value=_text(value)) for key, value in sorted(shown, key=lambda pair: pair[0])]


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else base64.b64encode(value).decode().rstrip("=")
