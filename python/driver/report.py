"""What the driver says to the runner."""

from __future__ import annotations

import sys

from conformance.v1.driver_pb2 import Report
from google.protobuf import json_format


def report(endpoint: int, what: Report) -> None:
    """Writes a line for the runner."""
    what.endpoint = endpoint
    sys.stdout.write(json_format.MessageToJson(what, indent=None) + "\n")
    sys.stdout.flush()
