"""What the close code of a link means for calls and for reconnecting (PROTOCOL.md, section 12.3)."""

from __future__ import annotations

from enum import Enum

from . import frame
from .status import Code, RpcError, to_code

LOST = 1006  # no close frame


class Reconnect(Enum):
    """When a client connects again."""

    NEVER = "never"
    NOW = "now"
    JITTERED = "jittered"
    BACKOFF = "backoff"
    OVERLOAD = "overload"


_KNOWN: dict[int, tuple[Code, Reconnect]] = {
    1000: (Code.CANCELED, Reconnect.NEVER),
    1001: (Code.UNAVAILABLE, Reconnect.NOW),
    1002: (Code.INTERNAL, Reconnect.BACKOFF),
    1003: (Code.INTERNAL, Reconnect.BACKOFF),
    1007: (Code.INTERNAL, Reconnect.BACKOFF),
    1008: (Code.PERMISSION_DENIED, Reconnect.NEVER),
    1009: (Code.RESOURCE_EXHAUSTED, Reconnect.BACKOFF),
    1010: (Code.UNIMPLEMENTED, Reconnect.NEVER),
    1011: (Code.INTERNAL, Reconnect.BACKOFF),
    1012: (Code.UNAVAILABLE, Reconnect.JITTERED),
    1013: (Code.UNAVAILABLE, Reconnect.OVERLOAD),
    1014: (Code.UNAVAILABLE, Reconnect.OVERLOAD),
}


def standard_code(code: int) -> int:
    """Returns the code that another one stands for: 1000+m for 4100+m, LOST for a close frame without a code."""
    if 4100 < code < 4116:
        code -= 3100
    return {4000: 1000, 1005: LOST}.get(code, code)


def close_action(code: int) -> tuple[Code, Reconnect]:
    """Returns the status of the calls that are open, and when the client connects again."""
    if 4000 < code <= 4016:
        status = to_code(code - 4000)
        return status, Reconnect.OVERLOAD if status == Code.UNAVAILABLE else Reconnect.NEVER
    return _KNOWN.get(code, (Code.UNAVAILABLE, Reconnect.BACKOFF))


def reset_error(code: int, reason: str) -> RpcError:
    """Returns the error of a call whose stream the peer has reset."""
    if code > 256:
        status = to_code(code - 256)
    elif code == 256:
        status = Code.UNKNOWN
    else:
        known = {
            frame.CANCEL: Code.CANCELED,
            frame.REFUSED: Code.UNAVAILABLE,
            frame.LIMIT: Code.RESOURCE_EXHAUSTED,
        }
        status = known.get(code, Code.INTERNAL)
    return RpcError(status, reason or "the peer has reset the stream", unprocessed=code == frame.REFUSED)
