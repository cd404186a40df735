"""The Python client under the conformance kit, which docs/conformance.md describes."""
