"""What the kinds of calls need of a call, whatever is between them and its stream."""

from __future__ import annotations

from typing import Protocol, TypeVar

from google.protobuf.message import Message

from .metadata import Metadata
from .status import RpcError

Req = TypeVar("Req", bound=Message)
Req_contra = TypeVar("Req_contra", bound=Message, contravariant=True)
Res = TypeVar("Res", bound=Message)
Res_co = TypeVar("Res_co", bound=Message, covariant=True)


class Conversation(Protocol[Req_contra, Res_co]):
    """A call as its application uses it."""

    @property
    def over(self) -> bool:
        """Reports whether the status is known."""

    @property
    def arrived_header(self) -> Metadata:
        """The header, empty until it has arrived."""

    @property
    def trailers(self) -> Metadata:
        """The trailers, empty until they have arrived."""

    async def send(self, message: Req_contra) -> bool:
        """Sends a request, and ends the requests if the method has one only. It returns False if no more are wanted."""

    async def end(self) -> None:
        """Says that no request follows."""

    async def receive(self) -> Res_co | None:
        """Returns the next response, None at the end of a call with status OK. It raises the error of other calls."""

    async def header(self) -> Metadata:
        """Returns the header when it has arrived. It is empty if the call ends without one."""

    def cancel(self, error: RpcError | None = None) -> None:
        """Cancels the call. What has arrived is dropped."""
