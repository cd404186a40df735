# The share of statements of one floor that tests ran, from a cover profile:
#   awk -v floor=transport -v min=85 -f tools/coverage.awk .out/cover.out
# A line of the profile is "module/path/file.go:from,to statements count". Exits 1 below min percent,
# and if the profile has no statement of the floor.
index($1, "github.com/parley-rpc/parley/" floor "/") == 1 {
	total += $2
	if ($3 > 0) run += $2
}
END {
	if (total == 0) {
		printf "coverage of %s: the profile has none of its statements\n", floor
		exit 1
	}
	share = 100 * run / total
	printf "coverage of %s: %.1f %% of %d statements (at least %d %% wanted)\n", floor, share, total, min
	exit share < min
}
