#!/usr/bin/env bash
# Installs a server from a package of Debian or Ubuntu, and stops the service that comes
# along: nobody asked for one. Fails without asking anything where it can't.
set -euo pipefail
package=$1

command -v apt-get >/dev/null
root=()
if [[ $(id -u) != 0 ]]; then
	# Without a password or not at all: a run must not wait for somebody.
	sudo -n true 2>/dev/null
	root=(sudo -n)
fi

echo "installing $package with apt-get" >&2
{
	# One broken source of packages does not hide the package in the others.
	"${root[@]}" apt-get -q update || true
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "$package"
} </dev/null >&2

if command -v systemctl >/dev/null && systemctl is-active --quiet "$package" 2>/dev/null; then
	"${root[@]}" systemctl disable --now "$package" >&2 || true
elif command -v service >/dev/null; then
	"${root[@]}" service "$package" stop >/dev/null 2>&1 || true
fi
