"""Codecs turn messages into bytes: proto and json (PROTOCOL.md, section 11.6)."""

from __future__ import annotations

import json
from typing import Any, Protocol, TypeVar

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message

from .status import Code, RpcError

M = TypeVar("M", bound=Message)


class Codec(Protocol):
    """Turns messages into bytes and back."""

    name: str

    def encode(self, message: Message) -> bytes:
        """Returns the bytes of a message."""

    def decode(self, data: bytes, kind: type[M]) -> M:
        """Returns the message. It raises ValueError if the bytes do not parse."""


class ProtoCodec:
    """The binary form of Protocol Buffers."""

    name = "proto"

    def encode(self, message: Message) -> bytes:
        data: bytes = message.SerializeToString()
        return data

    def decode(self, data: bytes, kind: type[M]) -> M:
        message: M = kind()
        try:
            message.ParseFromString(data)
        except (DecodeError, UnicodeDecodeError) as e:
            raise ValueError(str(e)) from None
        return message


class JsonCodec:
    """The JSON mapping of Protocol Buffers."""

    name = "json"

    def encode(self, message: Message) -> bytes:
        text: str = json_format.MessageToJson(message, indent=None)
        return text.encode()

    def decode(self, data: bytes, kind: type[M]) -> M:
        if data.startswith(b"\xef\xbb\xbf"):
            raise ValueError("a byte order mark at the beginning")
        message: M = kind()
        try:
            value = json.loads(data.decode("utf-8"), object_pairs_hook=_object)
            known = _without_unknown_enums(value, message.DESCRIPTOR)
            json_format.ParseDict(known, message, ignore_unknown_fields=True)
        except (json_format.Error, RecursionError) as e:
            raise ValueError(str(e)) from None
        return message


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("a key occurs twice")
    return value


def _without_unknown_enums(value: Any, kind: Descriptor) -> Any:
    """Returns a JSON value of a type of message without names of enum values that the type does not have."""
    if kind.file.package == "google.protobuf" and kind.file.name not in _PLAIN:
        return value  # these have a mapping of their own
    if not isinstance(value, dict):
        raise ValueError("a message has to be a JSON object")
    fields = {name: field for field in kind.fields for name in (field.name, field.json_name)}
    return {key: kept for key, v in value.items() if (kept := _field(v, fields.get(key))) is not _UNKNOWN}


# Files of google.protobuf whose messages have the ordinary mapping.
_PLAIN = ("google/protobuf/type.proto", "google/protobuf/api.proto", "google/protobuf/descriptor.proto")
_UNKNOWN = object()


def _field(value: Any, field: FieldDescriptor | None) -> Any:
    if field is None or value is None:
        return value
    if field.message_type and field.message_type.GetOptions().map_entry:
        if not isinstance(value, dict):
            return value
        of_value = field.message_type.fields_by_name["value"]
        return {k: kept for k, v in value.items() if (kept := _single(v, of_value)) is not _UNKNOWN}
    if is_repeated(field):
        if not isinstance(value, list):
            return value
        return [kept for v in value if (kept := _single(v, field)) is not _UNKNOWN]
    return _single(value, field)


def is_repeated(field: FieldDescriptor) -> bool:
    """Reports whether a field is repeated, with releases of protobuf that have is_repeated and those that have label."""
    repeated: bool | None = getattr(field, "is_repeated", None)
    return bool(field.label == FieldDescriptor.LABEL_REPEATED) if repeated is None else repeated


def _single(value: Any, field: FieldDescriptor) -> Any:
    if field.message_type:
        return value if value is None else _without_unknown_enums(value, field.message_type)
    if field.enum_type and isinstance(value, str) and value not in field.enum_type.values_by_name:
        return value if value.lstrip("-").isdigit() else _UNKNOWN
    return value


CODECS: dict[str, Codec] = {"proto": ProtoCodec(), "json": JsonCodec()}


def find_codec(name: str) -> Codec:
    """Returns the codec with a name; proto for an empty one."""
    codec = CODECS.get(name or "proto")
    if codec is None:
        raise RpcError(Code.UNIMPLEMENTED, f"codec {name!r} is unknown: known are {', '.join(CODECS)}")
    return codec
