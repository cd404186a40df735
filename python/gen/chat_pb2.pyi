from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Came(_message.Message):
    __slots__ = ["name"]
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class Enter(_message.Message):
    __slots__ = ["key", "name", "position", "room", "shows_typing"]
    KEY_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    ROOM_FIELD_NUMBER: _ClassVar[int]
    SHOWS_TYPING_FIELD_NUMBER: _ClassVar[int]
    key: str
    name: str
    position: str
    room: str
    shows_typing: bool
    def __init__(self, room: _Optional[str] = ..., name: _Optional[str] = ..., shows_typing: bool = ..., key: _Optional[str] = ..., position: _Optional[str] = ...) -> None: ...

class Entered(_message.Message):
    __slots__ = ["member", "names", "said", "server"]
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    SAID_FIELD_NUMBER: _ClassVar[int]
    SERVER_FIELD_NUMBER: _ClassVar[int]
    member: str
    names: _containers.RepeatedScalarFieldContainer[str]
    said: int
    server: str
    def __init__(self, names: _Optional[_Iterable[str]] = ..., said: _Optional[int] = ..., member: _Optional[str] = ..., server: _Optional[str] = ...) -> None: ...

class JoinRequest(_message.Message):
    __slots__ = ["enter", "say", "typing"]
    ENTER_FIELD_NUMBER: _ClassVar[int]
    SAY_FIELD_NUMBER: _ClassVar[int]
    TYPING_FIELD_NUMBER: _ClassVar[int]
    enter: Enter
    say: Say
    typing: Typing
    def __init__(self, enter: _Optional[_Union[Enter, _Mapping]] = ..., say: _Optional[_Union[Say, _Mapping]] = ..., typing: _Optional[_Union[Typing, _Mapping]] = ...) -> None: ...

class JoinResponse(_message.Message):
    __slots__ = ["came", "entered", "left", "missed", "missed_more", "position", "said"]
    CAME_FIELD_NUMBER: _ClassVar[int]
    ENTERED_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    MISSED_FIELD_NUMBER: _ClassVar[int]
    MISSED_MORE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    SAID_FIELD_NUMBER: _ClassVar[int]
    came: Came
    entered: Entered
    left: Left
    missed: int
    missed_more: bool
    position: str
    said: Said
    def __init__(self, missed: _Optional[int] = ..., entered: _Optional[_Union[Entered, _Mapping]] = ..., came: _Optional[_Union[Came, _Mapping]] = ..., said: _Optional[_Union[Said, _Mapping]] = ..., left: _Optional[_Union[Left, _Mapping]] = ..., position: _Optional[str] = ..., missed_more: bool = ...) -> None: ...

class Left(_message.Message):
    __slots__ = ["name"]
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ListenRequest(_message.Message):
    __slots__ = ["position", "room"]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    ROOM_FIELD_NUMBER: _ClassVar[int]
    position: str
    room: str
    def __init__(self, room: _Optional[str] = ..., position: _Optional[str] = ...) -> None: ...

class ListenResponse(_message.Message):
    __slots__ = ["missed", "missed_more", "position", "said"]
    MISSED_FIELD_NUMBER: _ClassVar[int]
    MISSED_MORE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    SAID_FIELD_NUMBER: _ClassVar[int]
    missed: int
    missed_more: bool
    position: str
    said: Said
    def __init__(self, said: _Optional[_Union[Said, _Mapping]] = ..., position: _Optional[str] = ..., missed: _Optional[int] = ..., missed_more: bool = ...) -> None: ...

class Said(_message.Message):
    __slots__ = ["at_ms", "member", "name", "number", "text"]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    at_ms: int
    member: str
    name: str
    number: int
    text: str
    def __init__(self, name: _Optional[str] = ..., text: _Optional[str] = ..., number: _Optional[int] = ..., member: _Optional[str] = ..., at_ms: _Optional[int] = ...) -> None: ...

class Say(_message.Message):
    __slots__ = ["number", "text"]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    number: int
    text: str
    def __init__(self, text: _Optional[str] = ..., number: _Optional[int] = ...) -> None: ...

class ShowTypingRequest(_message.Message):
    __slots__ = ["names", "room"]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    ROOM_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    room: str
    def __init__(self, room: _Optional[str] = ..., names: _Optional[_Iterable[str]] = ...) -> None: ...

class ShowTypingResponse(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class Typing(_message.Message):
    __slots__ = ["typing"]
    TYPING_FIELD_NUMBER: _ClassVar[int]
    typing: bool
    def __init__(self, typing: bool = ...) -> None: ...

class TypingChange(_message.Message):
    __slots__ = ["member", "name", "typing"]
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPING_FIELD_NUMBER: _ClassVar[int]
    member: str
    name: str
    typing: bool
    def __init__(self, member: _Optional[str] = ..., name: _Optional[str] = ..., typing: bool = ...) -> None: ...
