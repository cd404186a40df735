"""HELLO: the settings of both ends, and the request to resume a session (PROTOCOL.md, section 5)."""

from __future__ import annotations

from dataclasses import dataclass, field

from .fields import Field, MalformedFields, Values, encode_fields, parse_fields
from .varint import LARGEST, Bytes, Fault, cut_text, decode_text

_KNOWN = (2, 4, 6, 8, 10, 12, 14, 16, 1, 3, 18, 22, 7, 9, 20, 5)
MAX_AGENT = 128


@dataclass(frozen=True)
class Settings:
    """What one end is willing to receive: sizes in bytes, times in milliseconds. The defaults are those of the protocol."""

    max_frame: int = 16_384
    max_message: int = 65_536
    max_header: int = 4_096
    max_streams: int = 16
    initial_window: int = 16_384
    keepalive: int = 25_000
    resume_window: int = 0
    replay_limit: int = 65_536

    def check(self) -> str:
        """Returns what is wrong with the settings, or nothing."""
        for name, _, floor, maximum in _SETTINGS:
            value = getattr(self, name)
            if not floor <= value <= maximum:
                return f"{name} is {value}, and has to be from {floor} to {maximum}"
        if self.max_header > self.max_frame:
            return f"max_header {self.max_header} is above max_frame {self.max_frame}"
        return ""


# Name, key, floor, maximum. The maximum of max_header is max_frame.
_SETTINGS = (
    ("max_frame", 2, 16_384, 1_048_576),
    ("max_message", 4, 65_536, LARGEST),
    ("max_header", 6, 4_096, 1_048_576),
    ("max_streams", 8, 16, LARGEST),
    ("initial_window", 10, 16_384, LARGEST),
    ("keepalive", 12, 1_000, 25_000),
    ("resume_window", 14, 0, LARGEST),
    ("replay_limit", 16, 65_536, LARGEST),
)

# What this client announces.
CLIENT_SETTINGS = Settings(
    max_frame=32_768,
    max_message=4 << 20,
    max_header=16_384,
    max_streams=128,
    initial_window=256 << 10,
    keepalive=15_000,
    resume_window=30_000,
    replay_limit=1 << 20,
)


@dataclass(frozen=True)
class SessionRef:
    """Identifies a session to the end that keeps it. The token is a secret, and is not shown."""

    session: bytes
    token: bytes = field(repr=False)


@dataclass
class Hello:
    """What a HELLO says."""

    settings: Settings
    ref: SessionRef | None = None
    received: int = 0
    attempt: int = 0
    replaces: SessionRef | None = None
    resumed: int | None = None
    agent: str = ""


def encode_hello(hello: Hello) -> bytes:
    """Returns the payload of a dialer's HELLO. It leaves out settings with the value of the protocol's default."""
    default = Settings()
    fields: list[Field] = []
    for name, key, _, _ in _SETTINGS:
        value = getattr(hello.settings, name)
        if value != getattr(default, name):
            fields.append((key, value))
    if hello.ref:
        fields += [(1, hello.ref.session), (3, hello.ref.token), (18, hello.received), (22, hello.attempt)]
    elif hello.replaces:
        fields += [(7, hello.replaces.session), (9, hello.replaces.token)]
    if hello.agent:
        fields.append((5, cut_text(hello.agent, MAX_AGENT)))
    return encode_fields(fields)


def parse_hello(payload: Bytes) -> Hello:
    """Returns what an acceptor's HELLO says."""
    try:
        values = Values(parse_fields(payload, _KNOWN))
    except MalformedFields as e:
        rules = {"key-zero": "B1", "duplicate": "B2", "truncated": "B3", "varint": "B4"}
        raise Fault(rules[e.reason], what="HELLO") from None
    said = {name: value for name, key, _, _ in _SETTINGS if (value := values.number(key)) is not None}
    settings = Settings(**said)
    if wrong := settings.check():
        raise Fault("N4" if wrong.startswith("max_header") and "max_frame" in wrong else "N3", what=wrong)
    resumed = values.number(20)
    if resumed is not None and resumed > 1:
        raise Fault("N3", what=f"resumed is {resumed}")
    agent = values.data(5) or b""
    if len(agent) > MAX_AGENT:
        raise Fault("N5", what="an agent above 128 bytes")
    ref, replaces = _ref(values, 1, 3), _ref(values, 7, 9)
    if resumed and not ref:
        raise Fault("N6", what="resumed without a session")
    return Hello(
        settings, ref, values.number(18) or 0, values.number(22) or 0, replaces, resumed, decode_text(agent)
    )


def _ref(values: Values, session_key: int, token_key: int) -> SessionRef | None:
    session, token = values.data(session_key), values.data(token_key)
    if session is not None and not 16 <= len(session) <= 64:
        raise Fault("N5", what=f"a session of {len(session)} bytes")
    if token is not None and len(token) != 32:
        raise Fault("N5", what=f"a token of {len(token)} bytes")
    if session is None or token is None:
        if session is not token:
            raise Fault("N6", what="a session without a token, or the reverse")
        return None
    return SessionRef(session, token)
