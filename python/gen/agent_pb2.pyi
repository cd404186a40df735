from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Agent(_message.Message):
    __slots__ = ["description", "name", "problem"]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    description: DescribeResponse
    name: str
    problem: str
    def __init__(self, name: _Optional[str] = ..., description: _Optional[_Union[DescribeResponse, _Mapping]] = ..., problem: _Optional[str] = ...) -> None: ...

class DescribeRequest(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class DescribeResponse(_message.Message):
    __slots__ = ["platform", "uptime_s"]
    PLATFORM_FIELD_NUMBER: _ClassVar[int]
    UPTIME_S_FIELD_NUMBER: _ClassVar[int]
    platform: str
    uptime_s: int
    def __init__(self, platform: _Optional[str] = ..., uptime_s: _Optional[int] = ...) -> None: ...

class ListAgentsRequest(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class ListAgentsResponse(_message.Message):
    __slots__ = ["agents"]
    AGENTS_FIELD_NUMBER: _ClassVar[int]
    agents: _containers.RepeatedCompositeFieldContainer[Agent]
    def __init__(self, agents: _Optional[_Iterable[_Union[Agent, _Mapping]]] = ...) -> None: ...

class Reading(_message.Message):
    __slots__ = ["number", "temperature"]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    number: int
    temperature: float
    def __init__(self, number: _Optional[int] = ..., temperature: _Optional[float] = ...) -> None: ...

class WatchAgentRequest(_message.Message):
    __slots__ = ["name", "watch"]
    NAME_FIELD_NUMBER: _ClassVar[int]
    WATCH_FIELD_NUMBER: _ClassVar[int]
    name: str
    watch: WatchRequest
    def __init__(self, name: _Optional[str] = ..., watch: _Optional[_Union[WatchRequest, _Mapping]] = ...) -> None: ...

class WatchAgentResponse(_message.Message):
    __slots__ = ["reading"]
    READING_FIELD_NUMBER: _ClassVar[int]
    reading: Reading
    def __init__(self, reading: _Optional[_Union[Reading, _Mapping]] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ["count", "interval_ms"]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_MS_FIELD_NUMBER: _ClassVar[int]
    count: int
    interval_ms: int
    def __init__(self, interval_ms: _Optional[int] = ..., count: _Optional[int] = ...) -> None: ...

class WatchResponse(_message.Message):
    __slots__ = ["reading"]
    READING_FIELD_NUMBER: _ClassVar[int]
    reading: Reading
    def __init__(self, reading: _Optional[_Union[Reading, _Mapping]] = ...) -> None: ...
