package redistest

import (
	"net"
	"strconv"
)

// At is a server that another process has started, on this machine, for [Server.Do] and
// [Server.TryDo]. It is of no use for anything else.
func At(addr string) *Server {
	_, text, _ := net.SplitHostPort(addr)
	port, _ := strconv.Atoi(text)
	return &Server{port: port}
}
