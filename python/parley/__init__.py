"""Parley for Python: RPC over WebSocket, in both directions, that survives lost connections."""

from .client import Client
from .hello import Settings
from .interceptor import CallStream, Handler, Interceptor, WrappedStream
from .kinds import BidiCall, ClientStreamCall, ServerStreamCall, UnaryCall
from .metadata import Metadata, MetadataLike
from .retry import RetryPolicy
from .retryinfo import retry_after
from .service import ServerContext
from .state import State
from .status import Code, RpcError
from .stub import Stub

__all__ = [
    "BidiCall",
    "CallStream",
    "Client",
    "ClientStreamCall",
    "Code",
    "Handler",
    "Interceptor",
    "Metadata",
    "MetadataLike",
    "RetryPolicy",
    "RpcError",
    "ServerContext",
    "ServerStreamCall",
    "Settings",
    "State",
    "Stub",
    "UnaryCall",
    "WrappedStream",
    "retry_after",
]
