package redistest

import (
	"strconv"
	"testing"
)

// front is what the others see of a node: proxies, which let through what they may.
type front struct {
	proxies []*Proxy // for clients and, in a cluster, for the other nodes' messages
	source  string   // the address that the node's own connections come from
}

// Partitionable puts each node of a cluster, or master and replica of sentinels, behind proxies,
// for Isolate. It needs the many loopback addresses of Linux.
func Partitionable() Option {
	return func(s *settings) { s.fronts = true }
}

// bindSource gives the i-th node an address of its own for the connections that it opens, if it
// is behind proxies. It comes after [Partitionable].
func bindSource(i int) Option {
	return func(s *settings) {
		if s.fronts {
			s.source = "127.0.1." + strconv.Itoa(i+1)
			s.set("bind-source-addr", s.source)
		}
	}
}

// putBehind gives a node its front, if it is to have one. bus is its second port in a cluster,
// else "". It returns the one for the others to use.
func (s *Server) putBehind(tb testing.TB, bus string) string {
	tb.Helper()
	if !s.settings.fronts {
		return bus
	}
	clients := NewProxy(tb, s.Addr())
	s.front = &front{proxies: []*Proxy{clients}, source: s.settings.source}
	s.settle(tb, "replica-announce-ip", "127.0.0.1")
	s.settle(tb, "replica-announce-port", s.publicPort())
	if bus == "" {
		return ""
	}
	target, err := strconv.Atoi(bus)
	check(tb, err)
	others := NewProxy(tb, address(target))
	s.front.proxies = append(s.front.proxies, others)
	s.settle(tb, "cluster-announce-ip", "127.0.0.1")
	s.settle(tb, "cluster-announce-"+s.settings.portKey(), s.publicPort())
	s.settle(tb, "cluster-announce-bus-port", strconv.Itoa(others.port))
	return strconv.Itoa(others.port)
}

// publicAddr is where clients find the node.
func (s *Server) publicAddr() string {
	if s.front != nil {
		return s.front.proxies[0].Addr()
	}
	return s.Addr()
}

// publicPort is the port of [Server.publicAddr].
func (s *Server) publicPort() string {
	if s.front != nil {
		return strconv.Itoa(s.front.proxies[0].port)
	}
	return strconv.Itoa(s.port)
}

// isolate makes a black hole between a node and everybody else. Nothing is closed.
func isolate(tb testing.TB, node *Server, all []*Server) {
	tb.Helper()
	eachWay(tb, node, all, (*gate).close)
}

// rejoin ends an isolate. What was sent meanwhile comes through now.
func rejoin(tb testing.TB, node *Server, all []*Server) {
	tb.Helper()
	eachWay(tb, node, all, (*gate).open)
}

// eachWay does something to all gates between a node and everybody else.
func eachWay(tb testing.TB, node *Server, all []*Server, do func(*gate)) {
	tb.Helper()
	if node.front == nil {
		tb.Fatal("the nodes were not started with Partitionable")
	}
	for _, p := range node.front.proxies {
		do(&p.gate)
	}
	for _, other := range all {
		for _, p := range other.front.proxies {
			do(p.source(node.front.source))
		}
	}
}
