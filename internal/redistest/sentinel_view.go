package redistest

import (
	"slices"
	"strings"
	"testing"
)

// watch is what a sentinel knows of its master. The zero value is that of one that does not
// answer.
type watch struct {
	port     string
	flags    []string
	others   string // how many sentinels besides
	replicas []map[string]string
}

func viewOf(tb testing.TB, watcher *Server) watch {
	tb.Helper()
	master, err := askNode(tb, watcher, "SENTINEL", "MASTER", MasterSet)
	if err != nil {
		return watch{}
	}
	list, err := askNode(tb, watcher, "SENTINEL", "REPLICAS", MasterSet)
	if err != nil {
		return watch{}
	}
	fields := fieldsOf(master)
	w := watch{
		port:   fields["port"],
		flags:  strings.Split(fields["flags"], ","),
		others: fields["num-other-sentinels"],
	}
	replicas, _ := list.([]any)
	for _, replica := range replicas {
		w.replicas = append(w.replicas, fieldsOf(replica))
	}
	return w
}

// isSettled reports whether the master is one, and the sentinel has nothing under way with it.
func (w watch) isSettled() bool {
	return slices.Equal(w.flags, []string{"master"}) && w.others == "2"
}

// hasReplica reports whether the replica at a port is well, so that it can take over.
func (w watch) hasReplica(port string) bool {
	return slices.ContainsFunc(w.replicas, func(r map[string]string) bool {
		return r["port"] == port && r["flags"] == "slave" && r["master-link-status"] == "ok" && r["master-port"] == w.port
	})
}

// fieldsOf is a reply of names and values.
func fieldsOf(reply any) map[string]string {
	list, _ := reply.([]any)
	fields := make(map[string]string)
	for pair := range slices.Chunk(list, 2) {
		if len(pair) == 2 {
			name, _ := pair[0].(string)
			fields[name], _ = pair[1].(string)
		}
	}
	return fields
}
