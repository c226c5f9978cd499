package redistest

import (
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A Proxy forwards TCP connections to a server and disturbs them on request: it is the network
// between the two, where a [Server] plays the machine. All methods may be called from several
// goroutines, until the test ends.
type Proxy struct {
	tb     testing.TB
	target string
	port   int
	gate   gate
	delay  atomic.Int64 // a time.Duration
	rate   atomic.Int64 // bytes per second of each connection and direction, 0 = no limit
	work   sync.WaitGroup

	sources sync.Map // a *gate for each address that clients come from

	mu       sync.Mutex         // protects following fields
	listener net.Listener       // nil while refused
	links    map[*link]struct{} // the open ones
	closed   bool
}

// NewProxy starts a proxy on a port of its own, which ends with the test.
func NewProxy(tb testing.TB, target string) *Proxy {
	tb.Helper()
	listener, err := listen(tb.Context())
	check(tb, err)
	p := &Proxy{tb: tb, target: target, port: portOf(listener), links: map[*link]struct{}{}}
	p.serve(listener)
	tb.Cleanup(p.close)
	return p
}

// Addr is the address that clients connect to, as host:port.
func (p *Proxy) Addr() string { return address(p.port) }

// Cut closes all connections of this moment. New ones are welcome.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.cut()
	}
}

// Block makes the proxy a black hole: connections stay open and new ones are accepted, but
// nothing comes through, in either direction, not even the end of a connection. Bytes under way
// wait for [Proxy.Unblock].
func (p *Proxy) Block() { p.gate.close() }

// Unblock ends a [Proxy.Block]. What was sent meanwhile comes through now.
func (p *Proxy) Unblock() { p.gate.open() }

// source is the gate of all connections from an address.
func (p *Proxy) source(ip string) *gate {
	g, _ := p.sources.LoadOrStore(ip, &gate{})
	return g.(*gate) //nolint:forcetypeassert,errcheck // there is nothing else
}

// Refuse closes the port, so that new connections are refused. Those that have been
// accepted stay: see [Proxy.Cut].
func (p *Proxy) Refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hangUp()
}

// Allow opens the same port again.
func (p *Proxy) Allow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil || p.closed {
		return
	}
	listener, err := listenOn(p.tb.Context(), p.port)
	if err != nil {
		p.tb.Errorf("Allow: %v", err)
		return
	}
	p.serve(listener)
}

// Delay makes what is received from now on take the time d longer, each way: a round trip takes
// 2*d. It adds latency and takes no throughput. The default is 0.
func (p *Proxy) Delay(d time.Duration) { p.delay.Store(int64(d)) }

// Limit makes each connection carry no more than so many bytes per second, each way, from now on.
// The default is 0, no limit.
func (p *Proxy) Limit(bytesPerSecond int) { p.rate.Store(int64(bytesPerSecond)) }

// Silence makes black holes of the connections on which the client's last words contain the text.
// They stay open until an end gives up; new ones work. It returns how many they are.
func (p *Proxy) Silence(text string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for l := range p.links {
		if l.silence(text) {
			n++
		}
	}
	return n
}

// serve takes over the listener. Except for NewProxy the caller holds mu.
func (p *Proxy) serve(listener net.Listener) {
	p.listener = listener
	p.work.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed by hangUp
			}
			p.work.Go(func() { p.link(conn) })
		}
	})
}

// link forwards one connection until an end of it closes or somebody cuts it.
func (p *Proxy) link(client net.Conn) {
	l := newLink(p, client)
	defer l.cut()
	if !p.add(l) {
		return
	}
	defer p.remove(l)
	l.run()
}

// add reports false when the proxy has ended.
func (p *Proxy) add(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.links[l] = struct{}{}
	return true
}

func (p *Proxy) remove(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

// hangUp closes the port. The caller holds mu.
func (p *Proxy) hangUp() {
	if p.listener != nil {
		stopListening(p.listener)
		_ = p.listener.Close()
		p.listener = nil
	}
}

func (p *Proxy) close() {
	p.mu.Lock()
	p.closed = true
	p.hangUp()
	p.mu.Unlock()
	p.Cut()
	p.work.Wait()
}

// stopListening ends what a close alone does not: a child of this process that is about to start
// has a copy of the socket, and would keep the port open until it has started.
func stopListening(listener net.Listener) {
	socket, ok := listener.(syscall.Conn)
	if !ok {
		return
	}
	if raw, err := socket.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = syscall.Shutdown(int(fd), syscall.SHUT_RDWR) })
	}
}
