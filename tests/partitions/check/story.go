package check

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
	"github.com/watermill-rueidis/redisstream/tests/partitions/task"
)

// story is a history, arranged by what the rules ask for.
type story struct {
	options   Options
	events    []history.Event
	processes map[string]*process
	entries   map[place]*entry
	lanes     map[string][]*entry // of each key, in the order of the stream
	sessions  map[tenure]*session
	byEpoch   [][]*session // of each partition, in the order of their epochs
	handOuts  []*handOut   // in the order of time
	offset    int64        // what to add to an epoch in ns to get the time of its grant
	strangers []history.Event
	end       int64
}

// place is where an entry is.
type place struct {
	partition int
	id        string
}

// tenure names a session.
type tenure struct {
	partition int
	epoch     int64
	process   string
}

// entry is one of a stream.
type entry struct {
	place
	uuid     string
	key      string
	number   int
	handOuts []*handOut
}

// session is the time in which a process has a partition.
type session struct {
	tenure
	granted  int64
	next     int64 // when the next one was granted
	seen     bool  // by the server
	handOuts []*handOut
}

func newStory(events []history.Event, o Options) *story {
	s := &story{
		options: o, events: events, processes: map[string]*process{}, entries: map[place]*entry{},
		lanes: map[string][]*entry{}, sessions: map[tenure]*session{}, byEpoch: make([][]*session, o.Partitions),
	}
	if len(events) > 0 {
		s.end = events[len(events)-1].At
	}
	for _, e := range events {
		s.noteClock(e)
		s.noteEntry(e)
		s.noteProcess(e)
	}
	for _, e := range events {
		s.noteHandOut(e)
		if e.Kind == task.Granted {
			s.session(e).seen = true
		}
	}
	s.sortSessions()
	s.sortLanes()
	return s
}

func (s *story) noteClock(e history.Event) {
	if e.Kind == task.Clock {
		s.offset = e.At - e.Epoch*int64(time.Millisecond)
	}
}

func (s *story) noteEntry(e history.Event) {
	if e.Kind != history.InStream {
		return
	}
	key, number, _ := task.ParseUUID(e.UUID)
	x := &entry{place: place{e.Partition, e.Entry}, uuid: e.UUID, key: key, number: number}
	s.entries[x.place] = x
	s.lanes[key] = append(s.lanes[key], x)
}

func (s *story) session(e history.Event) *session {
	name := tenure{e.Partition, e.Epoch, e.Process}
	x := s.sessions[name]
	if x == nil {
		x = &session{tenure: name, granted: s.grantedAt(e.Epoch), next: never}
		s.sessions[name] = x
		s.byEpoch[e.Partition] = append(s.byEpoch[e.Partition], x)
	}
	return x
}

// grantedAt is when an epoch was granted: it is the server's time then, in ms.
func (s *story) grantedAt(epoch int64) int64 { return epoch*int64(time.Millisecond) + s.offset }

func (s *story) sortSessions() {
	for _, list := range s.byEpoch {
		slices.SortStableFunc(list, func(a, b *session) int { return cmp.Compare(a.epoch, b.epoch) })
		for i, x := range list[:max(len(list)-1, 0)] {
			x.next = list[i+1].granted
		}
	}
}

// sortLanes puts the entries of each key into the order of the stream.
func (s *story) sortLanes() {
	for _, lane := range s.lanes {
		slices.SortStableFunc(lane, func(a, b *entry) int {
			return cmp.Or(cmp.Compare(a.partition, b.partition), compareIDs(a.id, b.id))
		})
	}
}

// keys are those of all entries.
func (s *story) keys() []string { return slices.Sorted(maps.Keys(s.lanes)) }

func compareIDs(a, b string) int {
	at, an := splitID(a)
	bt, bn := splitID(b)
	return cmp.Or(cmp.Compare(at, bt), cmp.Compare(an, bn))
}

func splitID(id string) (ms, sequence int64) {
	first, second, _ := strings.Cut(id, "-")
	ms, _ = strconv.ParseInt(first, 10, 64)
	sequence, _ = strconv.ParseInt(second, 10, 64)
	return ms, sequence
}

func (s *story) maxInFlight(process string) int {
	return max(s.options.MaxInFlight[task.SlotOf(process)], 1)
}

// strict reports whether everybody handles one message of a partition at a time.
func (s *story) strict() bool {
	for _, n := range s.options.MaxInFlight {
		if n > 1 {
			return false
		}
	}
	return true
}
