"""The status of a call: its code, and the error that a caller gets (PROTOCOL.md, section 11.7)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import TypeVar

from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError, Message

from .metadata import Metadata

M = TypeVar("M", bound=Message)


class Code(IntEnum):
    """The codes of gRPC."""

    OK = 0
    CANCELED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


def to_code(number: int) -> Code:
    """Returns the code with a number. A number above 16 is UNKNOWN."""
    return Code(number) if 0 <= number <= 16 else Code.UNKNOWN


class RpcError(Exception):
    """
    The error of a call. A handler raises it to choose the status of its call.

    trailers has the metadata that came with the status. If unprocessed is true, no handler has seen the call, and it
    is safe to call again.
    """

    def __init__(
        self,
        code: Code,
        message: str = "",
        details: Iterable[Message] = (),
        *,
        trailers: Metadata | None = None,
        unprocessed: bool = False,
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.packed_details: Sequence[Any] = [_pack(detail) for detail in details]
        self.trailers = trailers if trailers is not None else Metadata()
        self.unprocessed = unprocessed

    def __str__(self) -> str:
        return f"{self.code.name}: {self.message}" if self.message else self.code.name

    def details(self, kind: type[M]) -> list[M]:
        """Returns the details of a type of message. It leaves out those that do not parse."""
        found: list[M] = []
        for packed in self.packed_details:
            if packed.Is(kind.DESCRIPTOR):
                detail = kind()
                try:
                    detail.ParseFromString(packed.value)
                except DecodeError:
                    continue
                found.append(detail)
        return found


def _pack(detail: Message) -> Any:
    if isinstance(detail, Any):
        return detail
    packed = Any()
    packed.Pack(detail)
    return packed
