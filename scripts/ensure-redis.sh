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

"$(dirname "$0")/install-server.sh" redis-server || explain

redis-server --version
