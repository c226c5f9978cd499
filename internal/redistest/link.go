package redistest

import (
	"bytes"
	"net"
	"sync"
	"time"
)

const (
	// chunkSize bounds one read of the proxy.
	chunkSize = 32 << 10
	// chunksUnderWay is how much may be on its way with a delay: 32 MiB each way. It makes a
	// slow line long and not narrow.
	chunksUnderWay = 1024
)

// chunk is what one read returned, and when it is due on the other side.
type chunk struct {
	data []byte
	due  time.Time
}

// link is one connection through the proxy.
type link struct {
	proxy  *Proxy
	client net.Conn
	source *gate // of the address that the client comes from
	gate   gate
	done   chan struct{} // closed by cut
	cut    func()        // ends the link; may be called by everybody, often

	mu   sync.Mutex // protects following fields
	last []byte     // what the client sent last
}

func newLink(p *Proxy, client net.Conn) *link {
	done := make(chan struct{})
	ip, _, _ := net.SplitHostPort(client.RemoteAddr().String())
	return &link{proxy: p, client: client, source: p.source(ip), done: done, cut: sync.OnceFunc(func() {
		close(done)
		_ = client.Close()
	})}
}

// run connects to the target and forwards both ways until the link ends. A black hole must not
// reach the target with a connection either, so it waits for the gate first.
func (l *link) run() {
	if !l.pass() {
		return
	}
	server, err := l.dial()
	if err != nil {
		return
	}
	var work sync.WaitGroup
	defer work.Wait()
	work.Go(func() { l.forward(server, l.client) })
	work.Go(func() { l.forward(l.client, server) })
	<-l.done
	_ = server.Close()
}

func (l *link) dial() (net.Conn, error) {
	var dialer net.Dialer
	return dialer.DialContext(l.proxy.tb.Context(), "tcp4", l.proxy.target)
}

// forward moves bytes one way, and ends the link when there are no more.
func (l *link) forward(to, from net.Conn) {
	chunks := make(chan chunk, chunksUnderWay)
	var reader sync.WaitGroup
	defer reader.Wait()
	defer l.cut() // before the wait, because the reader may be blocked
	reader.Go(func() {
		defer close(chunks)
		l.receive(chunks, from)
	})
	for c := range chunks {
		if !l.deliver(to, c) {
			return
		}
	}
	l.pass() // the end of a connection does not leave a black hole either
}

// pass waits until all gates are open. It reports false when the link has ended.
func (l *link) pass() bool {
	return l.proxy.gate.pass(l.done) && l.source.pass(l.done) && l.gate.pass(l.done)
}

// receive reads until the connection or the link ends.
func (l *link) receive(chunks chan<- chunk, from net.Conn) {
	for {
		data := make([]byte, chunkSize)
		n, err := from.Read(data)
		if n > 0 {
			if from == l.client {
				l.mu.Lock()
				l.last = data[:n]
				l.mu.Unlock()
			}
			select {
			case chunks <- chunk{data: data[:n], due: time.Now().Add(time.Duration(l.proxy.delay.Load()))}:
			case <-l.done:
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// deliver writes a chunk when it is due and the gate is open. It reports false when the link has
// ended.
func (l *link) deliver(to net.Conn, c chunk) bool {
	if !l.await(c.due) || !l.pass() {
		return false
	}
	if _, err := to.Write(c.data); err != nil {
		return false
	}
	if rate := l.proxy.rate.Load(); rate > 0 {
		return l.await(time.Now().Add(time.Duration(len(c.data)) * time.Second / time.Duration(rate)))
	}
	return true
}

// silence makes the link a black hole if the client's last words contain the text.
func (l *link) silence(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !bytes.Contains(l.last, []byte(text)) {
		return false
	}
	l.gate.close()
	return true
}

func (l *link) await(due time.Time) bool {
	wait := time.Until(due)
	if wait <= 0 {
		return true
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.done:
		return false
	}
}
