// Package history is what processes under test write down of what they do, so
// that it can be judged when all is over.
package history

// Event is one thing that happened. Which fields are set depends on the kind.
type Event struct {
	// At is the machine's monotonic clock in nanoseconds: it is the same for all
	// processes, and no jump of the wall clock changes it.
	At   int64 `json:"at"`
	Kind Kind  `json:"kind"`

	// Process is unique for each start, such as "consumer-2.3"; "" is the runner.
	// What the runner says of one process has its name here and in Target.
	Process string `json:"process,omitempty"`
	Topic   string `json:"topic,omitempty"`
	Group   string `json:"group,omitempty"` // "" = fan-out

	UUID       string `json:"uuid,omitempty"`
	Entry      string `json:"entry,omitempty"` // ID in the stream
	Deliveries int64  `json:"deliveries,omitempty"`

	// Partition and Epoch, which is the fencing token, are set for topics with partitions.
	Partition int   `json:"partition,omitempty"`
	Epoch     int64 `json:"epoch,omitempty"`

	// Text is an error, the cause of a context's end, the name of a fault, or of a
	// message that is published what it does to its handler: "poison" is always
	// nacked, "killer" kills the process.
	Text string `json:"text,omitempty"`
	// Target is what a fault hits: a process, "server", or a group.
	Target string `json:"target,omitempty"`
	// Entries are the IDs that a fault removed.
	Entries []string `json:"entries,omitempty"`
}

// Kind says what happened.
type Kind string

// What a publisher writes. The first comes before the call, the others after it. Entry
// is set when the message was published. The UUID is "<process>/<number>", with numbers
// that only grow. The runner publishes a last message, UUID "runner/last", after Quiet.
const (
	Publishing    Kind = "publishing"
	Published     Kind = "published"      // Publish returned nil; Entry if it is known
	PublishFailed Kind = "publish failed" // Text begins with "unknown: " if the answer was lost, with "refused: " if it is not in the stream
)

// What a consumer writes. What the handler does is written before it is done, so
// that nothing is done that is not written.
const (
	Subscribed  Kind = "subscribed"
	Delivered   Kind = "delivered"
	Acking      Kind = "acking"
	Nacking     Kind = "nacking"
	Rejecting   Kind = "rejecting"   // dead-letter this now, then nack
	Dropping    Kind = "dropping"    // drop this, then nack
	Postponing  Kind = "postponing"  // retry later, then nack
	ContextEnd  Kind = "context end" // seen by the handler before it settled the message; Text is the cause
	Closing     Kind = "closing"     // asked to end: SIGTERM, or Close; without a Topic, all of the process
	ChannelEnd  Kind = "channel end"
	ProcessExit Kind = "process exit" // the last line of a process that ends by itself
)

// What the runner writes. A fault whose Target is a process hits its connection to
// the server. One that lasts no time, such as a cut connection, begins and ends at
// once.
const (
	Started        Kind = "started" // a process
	Killed         Kind = "killed"  // kill -9; the process is gone
	Paused         Kind = "paused"  // SIGSTOP
	Resumed        Kind = "resumed" // SIGCONT
	FaultBegins    Kind = "fault begins"
	FaultEnds      Kind = "fault ends"
	Flushed        Kind = "flushed"         // all data of the server; At is before the command
	GroupDestroyed Kind = "group destroyed" // At is before the command
	Trimmed        Kind = "trimmed"         // Entries were removed from Topic
	Requeued       Kind = "requeued"        // a dead letter went back to its group: UUID, Entry, Group; At is before the command
	Quiet          Kind = "quiet"           // all faults are over; from here on everything has to be settled
	InStream       Kind = "in stream"       // an entry of Topic at the end
	DeadLettered   Kind = "dead lettered"   // a letter at the end: UUID, Entry (the original's), Group, Deliveries, Text (reason)
	StillPending   Kind = "still pending"   // at the end, in Group: Entry, Target is its consumer
	LeftBehind     Kind = "left behind"     // a consumer of Group at the end: Target is its name in Redis, Text how many entries are pending for it
	RoundEnds      Kind = "round ends"
)

// Server is the Target of a fault that hits everybody.
const Server = "server"

// ClockJump is the Text of a fault that moves the wall clock of its Target: for a
// process that must change nothing; with the server's, idle times move too.
const ClockJump = "clock jump"
