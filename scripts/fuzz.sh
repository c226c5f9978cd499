#!/usr/bin/env bash
# Runs every fuzz target of the module for the given time. go test takes only
# one target of one package at a time.
set -euo pipefail

for package in $(go list ./...); do
	targets=$(go test -run '^$' -list '^Fuzz' "$package" | grep '^Fuzz' || true)
	for target in $targets; do
		echo "$package $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "${1:-30s}" "$package"
	done
done
