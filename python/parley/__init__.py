"""Parley for Python: RPC over WebSocket, in both directions, that survives lost connections."""

from .client import Client
from .hello import Settings
from .kinds import BidiCall, ClientStreamCall, ServerStreamCall, UnaryCall
from .metadata import Metadata, MetadataLike
from .service import ServerContext
from .state import State
from .status import Code, RpcError
from .stub import Stub

__all__ = [
    "BidiCall",
    "Client",
    "ClientStreamCall",
    "Code",
    "Metadata",
    "MetadataLike",
    "RpcError",
    "ServerContext",
    "ServerStreamCall",
    "Settings",
    "State",
    "Stub",
    "UnaryCall",
]
