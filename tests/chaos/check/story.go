package check

import (
	"cmp"
	"slices"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
)

// courseKey names a course.
type courseKey struct {
	audience audience
	entry    string
}

// messageKey names the courses of one message, which may be in several entries.
type messageKey struct {
	audience audience
	uuid     string
}

// story is a history, arranged by what the rules ask for.
type story struct {
	options Options
	o       windows
	quiet   int64 // never, if the round did not come so far
	end     int64

	processes     map[string]*process
	subscriptions []*subscription
	courses       []*course
	byUUID        map[messageKey][]*course
	requeued      map[[2]string][]history.Event // topic, UUID
	byEntry       map[courseKey]*course

	outages   []span // of the server
	refusals  []span // in which it refused single commands
	clocks    []span // in which the server's clock may have jumped
	flushes   []history.Event
	destroyed map[audience][]history.Event
	trimmed   map[[2]string]bool // topic, entry

	publishing map[string]history.Event // by UUID
	published  []history.Event
	refused    []history.Event
	inStream   []history.Event
	entries    map[[2]string][]string // topic, UUID: the IDs that it has or had
	pending    []history.Event
	consumers  []history.Event // that are left in Redis

	open map[[2]string]history.Event // faults that have begun: target, name
}

func newStory(h []history.Event, o Options) *story {
	s := &story{
		options: o, o: o.windows(), quiet: never,
		processes: map[string]*process{}, byEntry: map[courseKey]*course{},
		byUUID: map[messageKey][]*course{}, requeued: map[[2]string][]history.Event{},
		destroyed: map[audience][]history.Event{}, trimmed: map[[2]string]bool{},
		publishing: map[string]history.Event{}, entries: map[[2]string][]string{},
		open: map[[2]string]history.Event{},
	}
	for _, e := range h {
		s.end = max(s.end, e.At)
		s.take(e)
	}
	s.close()
	return s
}

// take arranges an event.
func (s *story) take(e history.Event) {
	switch e.Kind {
	case history.Publishing, history.Published, history.PublishFailed, history.InStream, history.Trimmed:
		s.takeEntry(e)
	case history.Subscribed, history.Closing, history.ChannelEnd, history.ProcessExit,
		history.Killed, history.Paused, history.Resumed:
		s.takeProcess(e)
	case history.FaultBegins, history.FaultEnds, history.Flushed, history.GroupDestroyed:
		s.takeFault(e)
	case history.Delivered:
		s.takeDelivery(e)
	case history.Acking, history.Nacking, history.Rejecting, history.Dropping, history.Postponing, history.ContextEnd:
		s.takeOutcome(e)
	case history.Requeued:
		c := s.course(e)
		c.requeued = append(c.requeued, e)
		key := [2]string{e.Topic, e.UUID}
		s.requeued[key] = append(s.requeued[key], e)
	case history.DeadLettered:
		c := s.course(e)
		c.letters = append(c.letters, e)
	case history.StillPending:
		s.pending = append(s.pending, e)
	case history.LeftBehind:
		s.consumers = append(s.consumers, e)
	case history.Quiet:
		s.quiet = e.At
	default:
	}
}

func (s *story) takeEntry(e history.Event) {
	switch e.Kind {
	case history.Publishing:
		s.publishing[e.UUID] = e
	case history.Published:
		s.published = append(s.published, e)
		s.knownAs(e)
	case history.PublishFailed:
		s.refused = append(s.refused, e)
	case history.InStream:
		s.inStream = append(s.inStream, e)
		s.knownAs(e)
	default:
		for _, id := range e.Entries {
			s.trimmed[[2]string{e.Topic, id}] = true
		}
	}
}

// knownAs remembers the ID that a message has in the stream.
func (s *story) knownAs(e history.Event) {
	if e.UUID == "" || e.Entry == "" {
		return
	}
	key := [2]string{e.Topic, e.UUID}
	if !slices.Contains(s.entries[key], e.Entry) {
		s.entries[key] = append(s.entries[key], e.Entry)
	}
}

func (s *story) takeDelivery(e history.Event) {
	s.knownAs(e)
	p := s.process(e.Process)
	sub := p.subscription(audienceOf(e))
	if sub == nil { // it may be delivered before Subscribe has returned and that is written
		sub = s.subscribe(p, audienceOf(e), e.At)
	}
	h := &handOut{course: s.course(e), subscription: sub, delivered: e, ended: never}
	h.course.handOuts = append(h.course.handOuts, h)
	sub.handOuts = append(sub.handOuts, h)
}

// takeOutcome finds the hand-out that an event of a handler belongs to: the last
// one that is open.
func (s *story) takeOutcome(e history.Event) {
	c := s.course(e)
	for _, h := range slices.Backward(c.handOuts) {
		if h.delivered.Process != e.Process || h.outcome.Kind != "" {
			continue
		}
		h.ended = min(h.ended, e.At)
		if e.Kind == history.ContextEnd {
			h.noticed = e
		} else {
			h.outcome = e
		}
		return
	}
}

func (s *story) subscribe(p *process, a audience, at int64) *subscription {
	sub := &subscription{audience: a, process: p, since: at, closing: never, ended: never}
	for _, e := range p.closing {
		if e.Topic == "" || audienceOf(e) == a {
			sub.closing = at
		}
	}
	p.subscriptions = append(p.subscriptions, sub)
	s.subscriptions = append(s.subscriptions, sub)
	return sub
}

func (s *story) process(name string) *process {
	p := s.processes[name]
	if p == nil {
		p = &process{name: name, died: never}
		s.processes[name] = p
	}
	return p
}

// course is what becomes of the event's entry in its audience.
func (s *story) course(e history.Event) *course {
	key := courseKey{audienceOf(e), cmp.Or(e.Entry, e.UUID)}
	c := s.byEntry[key]
	if c == nil {
		c = &course{audience: key.audience, entry: e.Entry}
		s.byEntry[key] = c
		s.courses = append(s.courses, c)
	}
	if c.uuid == "" && e.UUID != "" {
		c.uuid = e.UUID
		key := messageKey{c.audience, c.uuid}
		s.byUUID[key] = append(s.byUUID[key], c)
	}
	return c
}
