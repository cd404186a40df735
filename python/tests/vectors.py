"""Reads the test vectors of the specification."""

from __future__ import annotations

import json
import pathlib
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[2]


def vectors(name: str) -> list[dict[str, Any]]:
    """Returns the cases of a file of vectors."""
    cases: list[dict[str, Any]] = json.loads((ROOT / "docs/spec/vectors" / f"{name}.json").read_text())
    assert cases, name
    return cases


def fields(case: dict[str, Any]) -> list[tuple[int, int | bytes]]:
    """Returns the fields of a case as the client has them."""
    return [(f["key"], f["value"] if "value" in f else bytes.fromhex(f["bytes"])) for f in case["fields"]]
