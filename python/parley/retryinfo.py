"""When a server asks its caller to call again: the detail google.rpc.RetryInfo of a status."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError

from .status import RpcError
from .varint import MalformedVarint, decode_varint

_TYPE = "google.rpc.RetryInfo"
_DELAY = 0x0A  # field 1, of bytes: a google.protobuf.Duration


def retry_after(error: RpcError) -> float | None:
    """Returns the seconds after which the server asks to call again; None if it does not."""
    for detail in error.packed_details:
        if detail.TypeName() == _TYPE:
            seconds = _read(detail.value)
            if seconds is not None:
                return seconds
    return None


def _read(value: bytes) -> float | None:
    """Returns the delay. One that is malformed or negative is none."""
    if value[:1] != bytes((_DELAY,)):
        return None
    try:
        size, at = decode_varint(value, 1)
        delay = Duration.FromString(value[at : at + size])
    except (MalformedVarint, DecodeError):
        return None
    seconds: float = delay.seconds + delay.nanos / 1e9
    return seconds if at + size <= len(value) and seconds >= 0 else None
