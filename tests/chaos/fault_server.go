package chaos

import (
	"math/rand/v2"
	"strconv"
	"time"
)

// killServer is kill -9, and a start from the append-only file, to which each command is synced
// before its reply.
type killServer struct{}

func (killServer) begin(s *stage) error { s.server.Kill(s.tb); return nil }
func (killServer) end(s *stage) error   { s.server.Restart(s.tb); return nil }

// pauseServer is SIGSTOP: connections stay, and nobody answers.
type pauseServer struct{}

func (pauseServer) begin(s *stage) error { s.server.Pause(s.tb); return nil }
func (pauseServer) end(s *stage) error   { s.server.Resume(s.tb); return nil }

// slowDisk makes each write of the append-only file take that long.
type slowDisk struct{ Flush time.Duration }

func newSlowDisk(r *rand.Rand, _ string, _ time.Duration) fault {
	return slowDisk{between(r, 5*ms, 100*ms)}
}

func (f slowDisk) begin(s *stage) error { return f.set(s, f.Flush) }
func (f slowDisk) end(s *stage) error   { return f.set(s, 0) }

func (slowDisk) set(s *stage, d time.Duration) error {
	return s.admin("DEBUG", "AOF-FLUSH-SLEEP", strconv.FormatInt(d.Microseconds(), 10))
}

// noMemory makes the server refuse what needs more memory.
type noMemory struct{}

func (noMemory) begin(s *stage) error { return s.admin("CONFIG", "SET", "maxmemory", "1") }
func (noMemory) end(s *stage) error   { return s.admin("CONFIG", "SET", "maxmemory", "0") }

// revocation takes a right from the user of all processes.
type revocation struct{ Command string }

func newRevocation(r *rand.Rand, _ string, _ time.Duration) fault {
	commands := []string{"xack", "xclaim", "eval", "evalsha", "xreadgroup", "xadd", "xpending", "xinfo"}
	return revocation{commands[r.IntN(len(commands))]}
}

func (f revocation) begin(s *stage) error {
	return s.admin("ACL", "SETUSER", workerUser, "-"+f.Command)
}

func (f revocation) end(s *stage) error { return s.admin("ACL", "SETUSER", workerUser, "+"+f.Command) }

// clientKill closes all connections, from the other side than a reset.
type clientKill struct{}

func (clientKill) begin(s *stage) error { return s.admin("CLIENT", "KILL", "TYPE", "normal") }
func (clientKill) end(*stage) error     { return nil }

// clientPause makes all clients wait, or those that write. It ends by itself: CLIENT UNPAUSE
// would have to wait too.
type clientPause struct {
	Mode string
	Time time.Duration
}

func newClientPause(r *rand.Rand, _ string, length time.Duration) fault {
	if r.IntN(2) == 0 {
		return clientPause{"WRITE", length}
	}
	return clientPause{"ALL", length}
}

func (f clientPause) begin(s *stage) error {
	return s.admin("CLIENT", "PAUSE", strconv.FormatInt(f.Time.Milliseconds(), 10), f.Mode)
}

// end waits for it: a write is answered when it is over, whatever its mode.
func (clientPause) end(s *stage) error { return s.admin("DEL", "nothing") }

// scriptFlush makes the server forget all scripts.
type scriptFlush struct{}

func (scriptFlush) begin(s *stage) error { return s.admin("SCRIPT", "FLUSH") }
func (scriptFlush) end(*stage) error     { return nil }
