from conformance.v1 import service_pb2 as _service_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Call(_message.Message):
    __slots__ = ["call", "codec", "compression", "hold", "metadata", "method", "requests", "timeout_ms"]
    CALL_FIELD_NUMBER: _ClassVar[int]
    CODEC_FIELD_NUMBER: _ClassVar[int]
    COMPRESSION_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    call: int
    codec: str
    compression: str
    hold: bool
    metadata: _containers.RepeatedCompositeFieldContainer[_service_pb2.Pair]
    method: str
    requests: _containers.RepeatedCompositeFieldContainer[_service_pb2.Work]
    timeout_ms: int
    def __init__(self, call: _Optional[int] = ..., method: _Optional[str] = ..., requests: _Optional[_Iterable[_Union[_service_pb2.Work, _Mapping]]] = ..., hold: bool = ..., metadata: _Optional[_Iterable[_Union[_service_pb2.Pair, _Mapping]]] = ..., timeout_ms: _Optional[int] = ..., codec: _Optional[str] = ..., compression: _Optional[str] = ...) -> None: ...

class CallEnd(_message.Message):
    __slots__ = ["call", "details", "header", "message", "responses", "status", "trailer"]
    CALL_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    HEADER_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    RESPONSES_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TRAILER_FIELD_NUMBER: _ClassVar[int]
    call: int
    details: _containers.RepeatedScalarFieldContainer[bytes]
    header: _containers.RepeatedCompositeFieldContainer[_service_pb2.Pair]
    message: str
    responses: _containers.RepeatedCompositeFieldContainer[_service_pb2.Result]
    status: int
    trailer: _containers.RepeatedCompositeFieldContainer[_service_pb2.Pair]
    def __init__(self, call: _Optional[int] = ..., status: _Optional[int] = ..., message: _Optional[str] = ..., details: _Optional[_Iterable[bytes]] = ..., responses: _Optional[_Iterable[_Union[_service_pb2.Result, _Mapping]]] = ..., header: _Optional[_Iterable[_Union[_service_pb2.Pair, _Mapping]]] = ..., trailer: _Optional[_Iterable[_Union[_service_pb2.Pair, _Mapping]]] = ...) -> None: ...

class Cancel(_message.Message):
    __slots__ = ["call"]
    CALL_FIELD_NUMBER: _ClassVar[int]
    call: int
    def __init__(self, call: _Optional[int] = ...) -> None: ...

class Close(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class Connect(_message.Message):
    __slots__ = ["bearer", "settings", "url"]
    BEARER_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    bearer: str
    settings: Settings
    url: str
    def __init__(self, url: _Optional[str] = ..., settings: _Optional[_Union[Settings, _Mapping]] = ..., bearer: _Optional[str] = ...) -> None: ...

class Drain(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class HalfClose(_message.Message):
    __slots__ = ["call"]
    CALL_FIELD_NUMBER: _ClassVar[int]
    call: int
    def __init__(self, call: _Optional[int] = ...) -> None: ...

class HandlerEnd(_message.Message):
    __slots__ = ["method"]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    method: str
    def __init__(self, method: _Optional[str] = ...) -> None: ...

class Listen(_message.Message):
    __slots__ = ["settings"]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    settings: Settings
    def __init__(self, settings: _Optional[_Union[Settings, _Mapping]] = ...) -> None: ...

class Listening(_message.Message):
    __slots__ = ["url"]
    URL_FIELD_NUMBER: _ClassVar[int]
    url: str
    def __init__(self, url: _Optional[str] = ...) -> None: ...

class Ready(_message.Message):
    __slots__ = ["features", "name", "roles"]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    features: _containers.RepeatedScalarFieldContainer[str]
    name: str
    roles: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., roles: _Optional[_Iterable[str]] = ..., features: _Optional[_Iterable[str]] = ...) -> None: ...

class Report(_message.Message):
    __slots__ = ["call_end", "endpoint", "failure", "handler_end", "listening", "ready"]
    CALL_END_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    HANDLER_END_FIELD_NUMBER: _ClassVar[int]
    LISTENING_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    call_end: CallEnd
    endpoint: int
    failure: str
    handler_end: HandlerEnd
    listening: Listening
    ready: Ready
    def __init__(self, endpoint: _Optional[int] = ..., ready: _Optional[_Union[Ready, _Mapping]] = ..., listening: _Optional[_Union[Listening, _Mapping]] = ..., call_end: _Optional[_Union[CallEnd, _Mapping]] = ..., handler_end: _Optional[_Union[HandlerEnd, _Mapping]] = ..., failure: _Optional[str] = ...) -> None: ...

class Request(_message.Message):
    __slots__ = ["call", "cancel", "close", "connect", "drain", "endpoint", "half_close", "listen"]
    CALL_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    CLOSE_FIELD_NUMBER: _ClassVar[int]
    CONNECT_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    HALF_CLOSE_FIELD_NUMBER: _ClassVar[int]
    LISTEN_FIELD_NUMBER: _ClassVar[int]
    call: Call
    cancel: Cancel
    close: Close
    connect: Connect
    drain: Drain
    endpoint: int
    half_close: HalfClose
    listen: Listen
    def __init__(self, endpoint: _Optional[int] = ..., listen: _Optional[_Union[Listen, _Mapping]] = ..., connect: _Optional[_Union[Connect, _Mapping]] = ..., call: _Optional[_Union[Call, _Mapping]] = ..., cancel: _Optional[_Union[Cancel, _Mapping]] = ..., half_close: _Optional[_Union[HalfClose, _Mapping]] = ..., drain: _Optional[_Union[Drain, _Mapping]] = ..., close: _Optional[_Union[Close, _Mapping]] = ...) -> None: ...

class Settings(_message.Message):
    __slots__ = ["initial_window", "keepalive", "max_frame", "max_header", "max_message", "max_streams", "replay_limit", "resume_window"]
    INITIAL_WINDOW_FIELD_NUMBER: _ClassVar[int]
    KEEPALIVE_FIELD_NUMBER: _ClassVar[int]
    MAX_FRAME_FIELD_NUMBER: _ClassVar[int]
    MAX_HEADER_FIELD_NUMBER: _ClassVar[int]
    MAX_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    MAX_STREAMS_FIELD_NUMBER: _ClassVar[int]
    REPLAY_LIMIT_FIELD_NUMBER: _ClassVar[int]
    RESUME_WINDOW_FIELD_NUMBER: _ClassVar[int]
    initial_window: int
    keepalive: int
    max_frame: int
    max_header: int
    max_message: int
    max_streams: int
    replay_limit: int
    resume_window: int
    def __init__(self, max_frame: _Optional[int] = ..., max_message: _Optional[int] = ..., max_header: _Optional[int] = ..., max_streams: _Optional[int] = ..., initial_window: _Optional[int] = ..., keepalive: _Optional[int] = ..., resume_window: _Optional[int] = ..., replay_limit: _Optional[int] = ...) -> None: ...
