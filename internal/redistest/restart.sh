# restart.sh DIR PORT OWNER SPEAKS COMMAND...
#
# Kills the server whose pid is in DIR/pid, starts COMMAND in its place and waits until it answers
# on PORT, or, if it SPEAKS tls and not plain, listens there. The new server ends when the process OWNER does.

set -um # -m: background jobs get a process group of their own, which ^C on the tests spares
dir=$1 port=$2 owner=$3 speaks=$4
shift 4

alive() { kill -0 "$1" 2>/dev/null; }

# The pid goes before the process, as type pidFile asks for.
stop() {
	local pid
	pid=$(cat "$dir/pid" 2>/dev/null) || return 0
	rm -f "$dir/pid"
	kill -9 "$pid" 2>/dev/null
	while alive "$pid"; do sleep 0.01; done
}

# The guard is the parent of the server: it reaps it, and ends it when the owner is gone.
guard() {
	"$@" >>"$dir/log" &
	local server=$!
	echo "$server" >"$dir/pid"
	while alive "$owner" && alive "$server"; do sleep 0.2; done
	kill -9 "$server"
	[[ $(cat "$dir/pid") == "$server" ]] && rm -f "$dir/pid"
}

# redis-cli may be missing, so bash itself asks.
answers() (
	[[ -s $dir/pid ]] && exec 3<>"/dev/tcp/127.0.0.1/$port" || return
	if [[ $speaks == plain ]]; then
		printf 'PING\r\n' >&3 &&
			read -r -t 1 reply <&3 &&
			[[ $reply == +PONG* ]]
	fi
) 2>/dev/null

stop
guarded=
for ((i = 0; i < 1000; i++)); do
	if [[ -z $guarded ]] || ! alive "$guarded"; then
		guard "$@" </dev/null >/dev/null 2>&1 &
		guarded=$!
	fi
	answers && exit 0
	sleep 0.03
done
echo "server does not answer on port $port; its log:" >&2
cat "$dir/log" >&2
exit 1
