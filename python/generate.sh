#!/usr/bin/env bash
# Generates the messages and stubs of the tests and examples into a folder, the first argument, with Debian's protoc.
set -euo pipefail
cd "$(dirname "$0")"
out=$1
mkdir -p "$out"
generate() {
	PATH="/usr/bin:$PATH" protoc --plugin=protoc-gen-python-parley=./protoc-gen-python-parley \
		--python_out="$out" --pyi_out="$out" --python-parley_out="$out" "$@"
}
generate -I ../proto/parley/ping/v1 -I ../proto/parley/chat/v1 -I ../proto/parley/agent/v1 \
	ping.proto chat.proto agent.proto
generate -I ../tests/conformance/proto conformance/v1/service.proto conformance/v1/driver.proto
