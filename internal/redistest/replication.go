package redistest

import (
	"strconv"
	"testing"
)

// replicates are the options of nodes that are master or replica. A master that says something
// each second shows which replicas listen to it.
func replicates(opts []Option) []Option {
	return append([]Option{
		Config("repl-diskless-sync-delay", "0"),
		Config("repl-ping-replica-period", "1"),
	}, opts...)
}

// awaitStream waits until a replica has what its master had when it was called. Just after the
// first transfer it may look well, but what is written then reaches it only after a while.
func awaitStream(tb testing.TB, master, replica *Server) {
	tb.Helper()
	var had int64
	await(tb, "the replica has what its master had", func() bool {
		said, confirmed := progress(tb, master, replica)
		if had == 0 {
			had = said // still 0 if it has said nothing yet
		}
		return had > 0 && confirmed >= had && isConnected(tb, replica)
	})
}

// progress is how far a master is in what it has said, and how much of it its replica has
// confirmed.
func progress(tb testing.TB, master, replica *Server) (said, confirmed int64) {
	tb.Helper()
	role := roleOf(tb, master)
	if len(role) != 3 || role[0] != "master" {
		return 0, 0
	}
	said, _ = role[1].(int64)
	list, _ := role[2].([]any)
	for _, item := range list {
		fields, _ := item.([]any)
		if len(fields) == 3 && fields[1] == replica.publicPort() {
			text, _ := fields[2].(string)
			confirmed, _ = strconv.ParseInt(text, 10, 64)
		}
	}
	return said, confirmed
}

// isMaster reports whether a node is up and takes itself for a master.
func isMaster(tb testing.TB, node *Server) bool {
	tb.Helper()
	role := roleOf(tb, node)
	return len(role) > 0 && role[0] == "master"
}

// isConnected reports whether a node is a replica with a link to its master.
func isConnected(tb testing.TB, node *Server) bool {
	tb.Helper()
	role := roleOf(tb, node)
	return len(role) == 5 && role[3] == "connected"
}

// roleOf is empty if the node does not answer.
func roleOf(tb testing.TB, node *Server) []any {
	tb.Helper()
	reply, err := askNode(tb, node, "ROLE")
	if err != nil {
		return nil
	}
	role, _ := reply.([]any)
	return role
}
