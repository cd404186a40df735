"""Parley for Python: RPC over WebSocket, in both directions, that survives lost connections."""

from .metadata import Metadata
from .status import Code, RpcError

__all__ = ["Code", "Metadata", "RpcError"]
