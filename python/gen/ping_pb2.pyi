from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class CountUpRequest(_message.Message):
    __slots__ = ["delay_ms", "to"]
    DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    delay_ms: int
    to: int
    def __init__(self, to: _Optional[int] = ..., delay_ms: _Optional[int] = ...) -> None: ...

class CountUpResponse(_message.Message):
    __slots__ = ["number"]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    number: int
    def __init__(self, number: _Optional[int] = ...) -> None: ...

class CumSumRequest(_message.Message):
    __slots__ = ["number"]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    number: int
    def __init__(self, number: _Optional[int] = ...) -> None: ...

class CumSumResponse(_message.Message):
    __slots__ = ["sum"]
    SUM_FIELD_NUMBER: _ClassVar[int]
    sum: int
    def __init__(self, sum: _Optional[int] = ...) -> None: ...

class PingFailure(_message.Message):
    __slots__ = ["hint", "text"]
    HINT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    hint: str
    text: str
    def __init__(self, text: _Optional[str] = ..., hint: _Optional[str] = ...) -> None: ...

class PingRequest(_message.Message):
    __slots__ = ["delay_ms", "fail_code", "text"]
    DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    FAIL_CODE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    delay_ms: int
    fail_code: int
    text: str
    def __init__(self, text: _Optional[str] = ..., delay_ms: _Optional[int] = ..., fail_code: _Optional[int] = ...) -> None: ...

class PingResponse(_message.Message):
    __slots__ = ["text"]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class SumRequest(_message.Message):
    __slots__ = ["number"]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    number: int
    def __init__(self, number: _Optional[int] = ...) -> None: ...

class SumResponse(_message.Message):
    __slots__ = ["count", "sum"]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    SUM_FIELD_NUMBER: _ClassVar[int]
    count: int
    sum: int
    def __init__(self, sum: _Optional[int] = ..., count: _Optional[int] = ...) -> None: ...
