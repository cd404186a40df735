"""Compression of messages with gzip (PROTOCOL.md, section 11.6)."""

from __future__ import annotations

import gzip
import zlib

from .status import Code, RpcError

NAMES = ("gzip",)
ACCEPT = ",".join(NAMES)


def compress(data: bytes) -> bytes:
    """Returns data as gzip."""
    return gzip.compress(data, 6, mtime=0)


def inflate(data: bytes, limit: int) -> bytes:
    """
    Returns what a gzip file of one or more members has.

    It stops at the limit, in bytes: then the error is RESOURCE_EXHAUSTED. What is not gzip is INTERNAL.
    """
    if not data:
        raise RpcError(Code.INTERNAL, "a message does not inflate: it has no bytes")
    out = bytearray()
    while data:
        member = zlib.decompressobj(wbits=31)
        try:
            out += member.decompress(data, limit - len(out) + 1)
        except zlib.error as e:
            raise RpcError(Code.INTERNAL, f"a message does not inflate: {e}") from None
        if len(out) > limit:
            raise RpcError(Code.RESOURCE_EXHAUSTED, f"a message inflates to more than {limit} bytes")
        if not member.eof:
            raise RpcError(Code.INTERNAL, "a message does not inflate: it is cut off")
        data = member.unused_data
    return bytes(out)
