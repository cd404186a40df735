#!/usr/bin/env bash
# Generates the messages and stubs of the tests and examples into a folder, the first argument, with Debian's protoc.
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p "$1"
PATH="/usr/bin:$PATH" protoc -I ../proto/parley/ping/v1 -I ../proto/parley/chat/v1 -I ../proto/parley/agent/v1 \
	--plugin=protoc-gen-python-parley=./protoc-gen-python-parley \
	--python_out="$1" --pyi_out="$1" --python-parley_out="$1" ping.proto chat.proto agent.proto
