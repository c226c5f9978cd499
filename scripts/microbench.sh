#!/usr/bin/env bash
# Runs the micro-benchmarks, with the given flags of go test besides. Operations and
# processors are as many on every machine, so that allocations can be compared.
set -euo pipefail

echo "toolchain: $(go env GOVERSION)"
go test -run '^$' -bench . -skip '^Benchmark(Poison|PublishDurable)$' -benchmem -cpu 2 -benchtime 20000x "$@" . ./internal/xstream
go test -run '^$' -bench '^BenchmarkPoison$' -benchmem -cpu 2 -benchtime 3x "$@" . # 10,000 messages each
