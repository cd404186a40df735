#!/usr/bin/env bash
# Runs all fuzz targets of packages, JOBS packages at a time: tools/fuzz.sh TIME JOBS PATTERN...
#
# A package is built once for all its targets. When the time is up, Go before 1.27 may report its own deadline as a
# failure of the target (go.dev/issue/75804): there is no failing input then, and no other line. Only in that case the
# target is run once more, and that result counts.
set -euo pipefail

if [ "${1-}" != package ]; then
	time=$1 jobs=$2
	shift 2
	go list -f '{{.ImportPath}} {{.Dir}}' "$@" | while read -r package dir; do
		if grep -qsE '^func Fuzz' "$dir"/*_test.go; then
			echo "$package $dir"
		fi
	done | xargs -P "$jobs" -L 1 "$0" package "$time"
	exit
fi

time=$2 package=$3 dir=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
corpus=$(go env GOCACHE)/fuzz

run() {
	(cd "$dir" && "$work/test" -test.run '^$' -test.fuzz "^$1\$" -test.fuzztime "$time" -test.fuzzminimizetime 10x \
		-test.fuzzcachedir "$corpus/$package" </dev/null 2>&1) | tee "$work/log"
}

# What the target itself has reported, without the engine's progress.
reported() { sed -n '/^--- FAIL: /,/^FAIL$/p' "$work/log" | grep -av -e '^--- FAIL: ' -e '^FAIL$' || true; }

go test -c -fuzz=Fuzz -o "$work/test" "$package"
for target in $(grep -hoE '^func Fuzz[A-Za-z0-9_]*' "$dir"/*_test.go | cut -d ' ' -f 2 | sort); do
	echo "$target in $package"
	run "$target" && continue
	[ "$(reported)" = '    context deadline exceeded' ] || exit 1
	echo "$target in $package has no failing input, Go's fuzzing missed its own deadline: once more"
	run "$target"
done
