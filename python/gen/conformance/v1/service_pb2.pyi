from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
THEN_CRASH: Then
THEN_UNSPECIFIED: Then
THEN_WAIT: Then

class Pair(_message.Message):
    __slots__ = ["key", "value"]
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    key: str
    value: str
    def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class Result(_message.Message):
    __slots__ = ["metadata", "padding", "text"]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    PADDING_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    metadata: _containers.RepeatedCompositeFieldContainer[Pair]
    padding: bytes
    text: str
    def __init__(self, text: _Optional[str] = ..., padding: _Optional[bytes] = ..., metadata: _Optional[_Iterable[_Union[Pair, _Mapping]]] = ...) -> None: ...

class Work(_message.Message):
    __slots__ = ["details", "header", "message", "padding", "results", "show", "size", "status", "text", "then", "trailer"]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    HEADER_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    PADDING_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    SHOW_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    THEN_FIELD_NUMBER: _ClassVar[int]
    TRAILER_FIELD_NUMBER: _ClassVar[int]
    details: _containers.RepeatedScalarFieldContainer[bytes]
    header: _containers.RepeatedCompositeFieldContainer[Pair]
    message: str
    padding: bytes
    results: int
    show: bool
    size: int
    status: int
    text: str
    then: Then
    trailer: _containers.RepeatedCompositeFieldContainer[Pair]
    def __init__(self, text: _Optional[str] = ..., results: _Optional[int] = ..., size: _Optional[int] = ..., status: _Optional[int] = ..., message: _Optional[str] = ..., details: _Optional[_Iterable[bytes]] = ..., header: _Optional[_Iterable[_Union[Pair, _Mapping]]] = ..., trailer: _Optional[_Iterable[_Union[Pair, _Mapping]]] = ..., show: bool = ..., then: _Optional[_Union[Then, str]] = ..., padding: _Optional[bytes] = ...) -> None: ...

class Then(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
