#!/usr/bin/env bash
# Runs all fuzz targets of the module in the working directory, one after the other: tools/fuzz.sh TIME
#
# A package is built once for all its targets. When the time is up, Go before 1.27 may report its own deadline as a
# failure of the target (go.dev/issue/75804): there is no failing input then, and no other line. Only in that case the
# target is run once more, and that result counts.
set -euo pipefail

time=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
corpus=$(go env GOCACHE)/fuzz

# run DIR PACKAGE TARGET
run() {
	(cd "$1" && "$work/test" -test.run '^$' -test.fuzz "^$3\$" -test.fuzztime "$time" -test.fuzzminimizetime 10x \
		-test.fuzzcachedir "$corpus/$2" </dev/null 2>&1) | tee "$work/log"
}

# What the target itself has reported, without the engine's progress.
reported() { sed -n '/^--- FAIL: /,/^FAIL$/p' "$work/log" | grep -av -e '^--- FAIL: ' -e '^FAIL$' || true; }

while read -r package dir; do
	targets=$(grep -hoE '^func Fuzz[A-Za-z0-9_]*' "$dir"/*_test.go 2>/dev/null | cut -d ' ' -f 2 | sort) || continue
	go test -c -fuzz=Fuzz -o "$work/test" "$package"
	for target in $targets; do
		echo "$target in $package"
		run "$dir" "$package" "$target" && continue
		[ "$(reported)" = '    context deadline exceeded' ] || exit 1
		echo "$target has no failing input, Go's fuzzing missed its own deadline: once more"
		run "$dir" "$package" "$target"
	done
done < <(go list -f '{{.ImportPath}} {{.Dir}}' ./...)
