"""Compression of messages with gzip (PROTOCOL.md, section 11.6)."""

from __future__ import annotations

import gzip
import zlib

from .status import Code, RpcError

NAMES = ("gzip",)
ACCEPT = ",".join(NAMES)
MAX_MEMBERS = 1_000  # of a message
PIECE = 16 << 10  # bytes that are inflated at once
MIN_COMPRESSED = 512  # bytes; gzip saves too little on a shorter message


def compress(data: bytes) -> tuple[bytes, bool]:
    """Returns data as gzip, and whether it is: a message that would not become shorter stays as it is."""
    if len(data) >= MIN_COMPRESSED:
        packed = gzip.compress(data, 6, mtime=0)
        if len(packed) < len(data):
            return packed, True
    return data, False


def inflate(data: bytes, limit: int) -> bytes:
    """
    Returns what a gzip file of one or more members has.

    It stops at the limit, in bytes: then the error is RESOURCE_EXHAUSTED. What is not gzip is INTERNAL.
    """
    out, at, members = bytearray(), 0, 0
    while at < len(data) or not members:
        members += 1
        if members > MAX_MEMBERS:
            raise RpcError(Code.RESOURCE_EXHAUSTED, f"a message has more than {MAX_MEMBERS} gzip members")
        at = _inflate_member(data, at, limit, out)
    return bytes(out)


def _inflate_member(data: bytes, at: int, limit: int, out: bytearray) -> int:
    """Adds what the member at an offset has to out, and returns the offset behind it."""
    member = zlib.decompressobj(wbits=31)
    while not member.eof:
        if at == len(data):
            raise RpcError(Code.INTERNAL, "a message does not inflate: it is cut off")
        piece = data[at : at + PIECE]  # the rest of a piece is copied at its end
        at += len(piece)
        try:
            while piece and not member.eof:
                out += member.decompress(piece, limit - len(out) + 1)
                piece = member.unconsumed_tail
                if len(out) > limit:
                    raise RpcError(Code.RESOURCE_EXHAUSTED, f"a message inflates to more than {limit} bytes")
        except zlib.error as e:
            raise RpcError(Code.INTERNAL, f"a message does not inflate: {e}") from None
    return at - len(member.unused_data)
