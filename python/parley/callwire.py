"""The fields blocks of calls: OPEN, HEADER and END (PROTOCOL.md, sections 11.1 to 11.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError

from .fields import Field, MalformedFields, Values, encode_fields, parse_fields
from .metadata import MalformedMetadata, Metadata, encode_pair, parse_pairs
from .status import Code, RpcError, to_code
from .varint import Bytes, cut_text, decode_text

_NAME = re.compile(r"[a-z0-9+._-]{1,64}\Z")


class MalformedBlock(Exception):
    """A fields block of a call that breaks the rules R1 to R3."""


@dataclass
class CallOpen:
    """What the OPEN of a call says. The timeout is in microseconds."""

    method: str = ""
    alias: int = 0
    timeout: int | None = None
    codec: str = ""
    encoding: str = ""
    accept: str = ""
    metadata: Metadata = field(default_factory=Metadata)


@dataclass
class CallHeader:
    """What the HEADER of a call says."""

    encoding: str = ""
    metadata: Metadata = field(default_factory=Metadata)


@dataclass
class CallEnd:
    """What the END of a call says."""

    status: int = 0
    message: str = ""
    metadata: Metadata = field(default_factory=Metadata)
    details: list[bytes] = field(default_factory=list)
    alias: int = 0


def encode_open(call: CallOpen) -> bytes:
    """Returns the payload of OPEN."""
    fields: list[Field] = [(2, call.alias)] if call.alias else [(1, call.method.encode())]
    if call.timeout is not None:
        fields.append((4, call.timeout))
    for key, text in ((3, call.codec), (5, call.encoding), (7, call.accept)):
        if text:
            fields.append((key, text.encode()))
    return encode_fields(fields + _pairs(call.metadata))


def parse_open(block: Bytes) -> CallOpen:
    """Returns what an OPEN says."""
    values = _values(block, (1, 2, 4, 3, 5, 7, 9))
    method, alias = values.data(1) or b"", values.number(2) or 0
    if bool(method) == bool(alias):
        raise MalformedBlock("OPEN has to have either a method or an alias")
    return CallOpen(
        decode_text(method),
        alias,
        values.number(4),
        decode_text(values.data(3) or b""),
        decode_text(values.data(5) or b""),
        decode_text(values.data(7) or b""),
        _metadata(values),
    )


def encode_header(header: CallHeader) -> bytes:
    """Returns the payload of HEADER."""
    fields: list[Field] = [(5, header.encoding.encode())] if header.encoding else []
    return encode_fields(fields + _pairs(header.metadata))


def parse_header(block: Bytes) -> CallHeader:
    """Returns what a HEADER says."""
    values = _values(block, (5, 9))
    return CallHeader(decode_text(values.data(5) or b""), _metadata(values))


def encode_end(end: CallEnd, limit: int) -> bytes:
    """Returns the payload of END. Beyond the limit it leaves out details, then metadata, then the tail of the message."""
    status: list[Field] = [(2, end.status)] if end.status else []
    message: list[Field] = [(1, end.message.encode("utf-8", "replace"))] if end.status and end.message else []
    details: list[Field] = [(11, detail) for detail in end.details] if end.status else []
    pairs = _pairs(end.metadata)
    for fields in (status + message + pairs + details, status + message + pairs, status + message):
        block = encode_fields(fields)
        if len(block) <= limit:
            return block
    return encode_fields([*status, (1, cut_text(end.message, limit - 16))])


def parse_end(block: Bytes) -> CallEnd:
    """Returns what an END says."""
    values = _values(block, (2, 1, 9, 11, 6))
    return CallEnd(
        values.number(2) or 0,
        decode_text(values.data(1) or b""),
        _metadata(values),
        values.all(11),
        values.number(6) or 0,
    )


def end_error(end: CallEnd) -> RpcError | None:
    """Returns the error that a caller gets for an END, None if the status is OK."""
    if end.status == Code.OK:
        return None
    details: list[Any] = []
    for data in end.details:
        detail = Any()
        try:
            detail.ParseFromString(data)
        except DecodeError:
            continue
        details.append(detail)
    return RpcError(to_code(end.status), end.message, details, trailers=end.metadata)


def valid_name(name: str) -> bool:
    """Reports whether a codec or a compression may have the name."""
    return bool(_NAME.match(name))


def _pairs(metadata: Metadata) -> list[Field]:
    return [(9, encode_pair(key, value)) for key, value in metadata]


def _values(block: Bytes, known: tuple[int, ...]) -> Values:
    try:
        return Values(parse_fields(block, known, (9, 11)))
    except MalformedFields as e:
        raise MalformedBlock(str(e)) from None


def _metadata(values: Values) -> Metadata:
    try:
        return parse_pairs(values.all(9))
    except MalformedMetadata as e:
        raise MalformedBlock(str(e)) from None
