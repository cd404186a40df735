#!/usr/bin/env bash
# Runs what holds for the Python client: generated files are current, types are right, and the tests pass. Needs the
# programs of the tests in .out/python/, which `make test-python` builds. PYTHON is the interpreter.
set -euo pipefail
cd "$(dirname "$0")"
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT

./generate.sh "$fresh"
diff -r -x __pycache__ "$fresh" gen || { echo 'python/gen/ is out of date: python/generate.sh gen'; exit 1; }
"${MYPY:-/usr/bin/mypy}" --cache-dir "$fresh/mypy"
PYTHONPATH=.:gen PYTHONDONTWRITEBYTECODE=1 "${PYTHON:-/usr/bin/python3}" -W error -m unittest "$@"
