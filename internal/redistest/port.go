package redistest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports come from below the range that systems hand out by themselves (32768 and up on Linux,
// 49152 and up elsewhere). A port from :0 lies in that range: while the server is down, outgoing
// connections may be given it, even a client's that dials it and so connects to itself. Then the
// server could not come back on its port.
const (
	lowestPort = 12000
	portCount  = 20000
	portTries  = 100
)

// listen opens a listener on a free port of 127.0.0.1.
func listen(ctx context.Context) (net.Listener, error) {
	var last error
	for range portTries {
		l, err := listenOn(ctx, lowestPort+rand.IntN(portCount))
		if err == nil {
			return l, nil
		}
		last = err
	}
	return nil, fmt.Errorf("no free port: %w", last)
}

func listenOn(ctx context.Context, port int) (net.Listener, error) {
	var config net.ListenConfig
	return config.Listen(ctx, "tcp4", address(port))
}

// freePort is a port that nobody listened on a moment ago.
func freePort(ctx context.Context) (int, error) {
	l, err := listen(ctx)
	if err != nil {
		return 0, err
	}
	return portOf(l), l.Close()
}

func portOf(l net.Listener) int {
	return l.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert,errcheck // a TCP listener has a TCP address
}

func address(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}
