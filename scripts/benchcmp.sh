#!/usr/bin/env bash
# Runs the micro-benchmarks as often as the first argument says and compares them
# with a baseline, which is the second. Allocations decide, because they hardly
# depend on the machine; times are shown.
set -euo pipefail

baseline=$2
[[ -s "$baseline" ]] || {
	echo "there is no $baseline, which make benchbase writes" >&2
	exit 1
}
now=$(mktemp)
trap 'rm -f "$now"' EXIT

scripts/microbench.sh -count "$1" | tee "$now"
echo
go tool -modfile=tools/go.mod benchstat -ignore goos,goarch,cpu,toolchain baseline="$baseline" now="$now"

# A benchmark is worse when its median is above all that the baseline has seen of it,
# by more than both margins. So one that is not the same each time needs no margin of
# its own, and one that is notices a single allocation.
awk '
	BEGIN {
		percent = 5
		least["allocs/op"] = 1
		least["B/op"] = 16
	}
	{ file = FILENAME == ARGV[1] ? 1 : 2 }
	/^toolchain:/ { toolchain[file] = $2 }
	/^pkg:/ { pkg = $2 }
	/^Benchmark/ {
		for (i = 3; i < NF; i += 2)
			if ($(i + 1) in least) {
				key = pkg " " $1 " " $(i + 1)
				if (!(key in seen)) keys[++total] = key
				seen[key]
				values[file, key, ++count[file, key]] = $i + 0
			}
	}
	# sort sorts the values of a benchmark, of which there are few.
	function sort(file, key,   i, j, v) {
		for (i = 2; i <= count[file, key]; i++) {
			v = values[file, key, i]
			for (j = i - 1; j > 0 && values[file, key, j] > v; j--)
				values[file, key, j + 1] = values[file, key, j]
			values[file, key, j + 1] = v
		}
	}
	function above(a, b, unit) { return a > b * (1 + percent / 100) && a - b >= least[unit] }
	function say(key, what) { print "  " key ": " what }
	END {
		print "\nAllocations against the baseline:"
		for (k = 1; k <= total; k++) {
			key = keys[k]
			n = count[1, key]; m = count[2, key]
			if (!m) { worse++; say(key, "gone"); continue }
			if (!n) { fresh++; say(key, "not in the baseline"); continue }
			sort(1, key); sort(2, key)
			median = values[2, key, int((m + 1) / 2)]
			split(key, part, " ")
			if (above(median, values[1, key, n], part[3])) { worse++; say(key, values[1, key, n] " -> " median ", worse") }
			if (above(values[1, key, 1], median, part[3])) { fresh++; say(key, values[1, key, 1] " -> " median ", better") }
		}
		if (toolchain[1] != toolchain[2])
			print "  The baseline is of " toolchain[1] ", this is " toolchain[2] ", which may allocate otherwise."
		if (fresh)
			print "  make benchbase makes this the baseline."
		print (worse ? "FAIL" : "ok")
		exit (worse > 0)
	}
' "$baseline" "$now"
