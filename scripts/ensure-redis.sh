#!/usr/bin/env bash
# Makes sure that there is a redis-server for the tests to start. They give it a
# port and a directory of their own, and need no service of the system.
#
# REDISSTREAM_TEST_SERVER names another server than the redis-server in PATH.
set -euo pipefail

if [[ -n "${REDISSTREAM_TEST_SERVER:-}" ]]; then
	server=$(command -v "$REDISSTREAM_TEST_SERVER") || {
		echo "REDISSTREAM_TEST_SERVER is $REDISSTREAM_TEST_SERVER, which is no program" >&2
		exit 1
	}
	"$server" --version
	exit
fi

if command -v redis-server >/dev/null; then
	redis-server --version
	exit
fi

explain() {
	cat >&2 <<'END'
The tests need redis-server, and it is not in PATH. Install it:

  Debian, Ubuntu   sudo apt-get update && sudo apt-get install redis-server
  Fedora           sudo dnf install redis
  Alpine           sudo apk add redis
  macOS            brew install redis

or let REDISSTREAM_TEST_SERVER name a redis-server or valkey-server.
END
	exit 1
}

command -v apt-get >/dev/null || explain

root=()
if [[ $(id -u) != 0 ]]; then
	# Without a password or not at all: a test run must not wait for somebody.
	sudo -n true 2>/dev/null || explain
	root=(sudo -n)
fi

echo "installing redis-server with apt-get" >&2
{
	# One broken source of packages does not hide redis-server in the others.
	"${root[@]}" apt-get -q update || true
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install redis-server
} </dev/null >&2 || explain

# The package starts a service. Nobody asked for one.
if command -v systemctl >/dev/null && systemctl is-active --quiet redis-server 2>/dev/null; then
	"${root[@]}" systemctl disable --now redis-server >&2 || true
elif command -v service >/dev/null; then
	"${root[@]}" service redis-server stop >/dev/null 2>&1 || true
fi

redis-server --version
