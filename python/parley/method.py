"""Methods: what a call needs to know of the method of a service."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from google.protobuf import message_factory, symbol_database
from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodDescriptorProto, MethodOptions
from google.protobuf.message import Message


class Kind(Enum):
    """The four kinds of calls."""

    UNARY = "unary"
    SERVER_STREAM = "server stream"
    CLIENT_STREAM = "client stream"
    BIDI = "bidirectional"

    @property
    def one_request(self) -> bool:
        return self in (Kind.UNARY, Kind.SERVER_STREAM)

    @property
    def one_response(self) -> bool:
        return self in (Kind.UNARY, Kind.CLIENT_STREAM)


@dataclass(frozen=True)
class Method:
    """A method: its path is package.Service/Method."""

    path: str
    name: str
    kind: Kind
    request: type[Message]
    response: type[Message]
    idempotent: bool = False  # the .proto says that a second call does no harm


def method_of(descriptor: MethodDescriptor) -> Method:
    """Returns the method that a descriptor describes."""
    proto = MethodDescriptorProto()
    descriptor.CopyToProto(proto)
    kinds = {
        (False, False): Kind.UNARY,
        (False, True): Kind.SERVER_STREAM,
        (True, False): Kind.CLIENT_STREAM,
        (True, True): Kind.BIDI,
    }
    return Method(
        f"{descriptor.containing_service.full_name}/{descriptor.name}",
        descriptor.name,
        kinds[proto.client_streaming, proto.server_streaming],
        _message_class(descriptor.input_type),
        _message_class(descriptor.output_type),
        proto.options.idempotency_level != MethodOptions.IDEMPOTENCY_UNKNOWN,
    )


def _message_class(descriptor: Descriptor) -> type[Message]:
    get: Any = getattr(message_factory, "GetMessageClass", None)  # since protobuf 4.22
    kind: type[Message] = get(descriptor) if get else symbol_database.Default().GetPrototype(descriptor)
    return kind
