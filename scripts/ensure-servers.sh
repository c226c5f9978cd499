#!/usr/bin/env bash
# Finds the servers that `make matrix` runs on, and brings those that are newer than
# the system's. Prints one line for each: name, tab, its program; or name, tab, "-",
# tab, why it is not there. Never fails because one is missing.
#
# The newer ones come from other suites of the Debian mirror that apt knows already,
# with the libraries that they need. They are unpacked into a cache and not
# installed: the system's apt and libraries stay as they are.
set -euo pipefail

cache=${XDG_CACHE_HOME:-$HOME/.cache}/redisstream-servers
sources=/etc/apt/sources.list.d/debian.sources
libraries=(libc6 libatomic1 libjemalloc2 liblzf1 libssl3t64 libstdc++6 libgcc-s1 libsystemd0 libcap2 libzstd1 zlib1g)
log=$cache/log

found() { printf '%s\t%s\n' "$1" "$2"; }
missing() { printf '%s\t-\t%s\n' "$1" "$2"; }

# apt with lists and sources of its own.
other_apt() {
	apt-get -q -o Dir::State="$cache/apt" -o Dir::State::status=/var/lib/dpkg/status \
		-o Dir::Cache="$cache/apt" -o Dir::Etc::sourcelist="$cache/apt/other.sources" \
		-o Dir::Etc::sourceparts=/dev/null -o APT::Sandbox::User="$(id -un)" \
		-o Acquire::Languages=none "$@"
}

# The first entry of the system's sources, for other suites.
refresh() {
	mkdir -p "$cache"/apt/lists/partial "$cache"/apt/archives/partial "$cache"/packages
	awk 'BEGIN { RS = "" } NR == 1' "$sources" |
		sed -e '/^#/d' -e 's/^Suites:.*/Suites: trixie sid experimental/' >"$cache/apt/other.sources"
	other_apt update &&
		(cd "$cache/packages" && other_apt download "${libraries[@]/%//trixie}") || return
	for package in "$cache"/packages/*.deb; do
		dpkg-deb -x "$package" "$cache/unpacked" || return
	done
	mv "$cache/unpacked" "$cache/libraries"
}

# fetch NAME PACKAGE/SUITE FILE ARGV0: the server is the same program as FILE, and
# knows by its name what to be. It runs with the loader and the libraries of the cache.
fetch() {
	local name=$1 package=$2 file=$3 argv0=$4 directory=$cache/$1
	mkdir -p "$directory"
	(cd "$directory" && rm -f ./*.deb && other_apt download "$package" && dpkg-deb -x ./*.deb .) || return
	cat >"$directory/start" <<END
#!/bin/sh
exec "$cache/libraries/usr/lib64/ld-linux-x86-64.so.2" --argv0 $argv0 \\
	--library-path "$cache/libraries/usr/lib/x86_64-linux-gnu" "$directory/usr/bin/$file" "\$@"
END
	chmod +x "$directory/start"
	"$directory/start" --version
}

# ensure NAME PACKAGE/SUITE FILE ARGV0 prints the line of a newer server. What is in
# the cache stays as it is.
ensure() {
	local program=$cache/$1/start
	if [[ -x $program ]] && "$program" --version >/dev/null 2>&1; then
		found "$1" "$program"
	elif ! command -v apt-get dpkg-deb >/dev/null || [[ ! -r $sources || $(uname -m) != x86_64 ]]; then
		missing "$1" "it is brought on Debian for x86-64 only"
	elif { { [[ -d $cache/libraries ]] || refresh; } && fetch "$@"; } >>"$log" 2>&1; then
		found "$1" "$program"
	else
		rm -f "$program"
		missing "$1" "$2: $(grep -E '^(E:|.*[Ee]rror)' "$log" | tail -n 1 | cut -c 1-150)"
	fi
}

mkdir -p "$cache"
: >"$log"
if program=$(command -v redis-server); then
	found system "$program"
else
	missing system "there is no redis-server in PATH"
fi
ensure redis redis-tools/experimental redis-check-rdb redis-server
ensure valkey valkey-tools/sid valkey-check-rdb valkey-server
