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

command -v apt-get >/dev/null || explain

root=()
if [[ $(id -u) != 0 ]]; then
	# Without a password or not at all: a run must not wait for somebody.
	sudo -n true 2>/dev/null || explain
	root=(sudo -n)
fi

echo "installing nats-server with apt-get" >&2
{
	# One broken source of packages does not hide nats-server in the others.
	"${root[@]}" apt-get -q update || true
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install nats-server
} </dev/null >&2 || explain

# The package starts a service. Nobody asked for one.
if command -v systemctl >/dev/null && systemctl is-active --quiet nats-server 2>/dev/null; then
	"${root[@]}" systemctl disable --now nats-server >&2 || true
elif command -v service >/dev/null; then
	"${root[@]}" service nats-server stop >/dev/null 2>&1 || true
fi

nats-server --version
