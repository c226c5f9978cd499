#!/usr/bin/env bash
# Makes sure that there is a nats-server for the benchmarks to start. They give it a
# port and a directory of their own, and need no service of the system.
set -euo pipefail

if command -v nats-server >/dev/null; then
	nats-server --version
	exit
fi

explain() {
	cat >&2 <<'END'
The benchmarks need nats-server, and it is not in PATH. Install it:

  Debian, Ubuntu   sudo apt-get update && sudo apt-get install nats-server
  Alpine           sudo apk add nats-server
  macOS            brew install nats-server
END
	exit 1
}

"$(dirname "$0")/install-server.sh" nats-server || explain

nats-server --version
