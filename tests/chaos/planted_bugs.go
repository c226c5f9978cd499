package chaos

import (
	"slices"
	"time"

	"github.com/watermill-rueidis/redisstream/tests/chaos/task"
)

// plantedBugs are the bugs that rounds have to find.
func plantedBugs() []plantedBug {
	return slices.Concat(plantedInMessages(), plantedAtEnds(), plantedInGroups())
}

// plantedInMessages are mistakes with one message.
func plantedInMessages() []plantedBug {
	return []plantedBug{
		{
			name: "acks before the handler does",
			edits: []edit{{
				"dispatcher.go", "	if d.maxLease > 0 {\n		d.ledger.received(sent)",
				"	if d.acker != nil {\n		d.acker.add(e)\n	}\n	if d.maxLease > 0 {\n		d.ledger.received(sent)",
			}},
			rules:  []string{"lost"},
			faults: []string{"kill consumer"},
		},
		{
			name:   "a nack acks",
			edits:  []edit{{"settlement.go", "		return d.retry(handOut, work, e, v, handOuts)\n", "		d.done(e)\n"}},
			rules:  []string{"lost"},
			faults: []string{"SCRIPT FLUSH"},
		},
		{
			name:   "a nack loses its place",
			edits:  []edit{{"settlement.go", "	if d.retries.toGroup {\n", "	if d.holder != nil {\n"}},
			rules:  []string{"nack order"},
			faults: []string{"SCRIPT FLUSH"},
			plan:   func(p *Plan) { p.Groups[0].Count, p.Groups[0].MaxInFlight = 1, 1 },
		},
		{
			name:   "gives up after one delivery fewer",
			edits:  []edit{{"retry.go", "r.most > 0 && handOuts >= r.most }", "r.most > 0 && handOuts >= r.most-1 }"}},
			rules:  []string{"dead letters"},
			faults: []string{"SCRIPT FLUSH"},
			plan:   func(p *Plan) { p.Groups[0].MaxDeliveries, p.Publisher.Poison = 3, 20 },
		},
		{
			name: "acks before it adds the dead letter",
			edits: []edit{
				{"internal/xstream/scripts.go", "if ARGV[4] == '0' then\n", "redis.call('XACK', KEYS[1], ARGV[1], ARGV[3])\nif ARGV[4] == '0' then\n"},
				{"internal/xstream/scripts.go", "unpack(ARGV, 5))\nend\nredis.call('XACK', KEYS[1], ARGV[1], ARGV[3])\nreturn 1", "unpack(ARGV, 5))\nend\nreturn 1"},
			},
			rules:  []string{"lost", "condemned"},
			faults: []string{"rights revoked"},
			plan:   func(p *Plan) { p.Groups[0].MaxDeliveries, p.Publisher.Poison = 2, 5 },
		},
		{
			name:   "counts what was not handed out",
			edits:  []edit{{"ledger_view.go", "xstream.Count{ID: e.IDText(), Deliveries: e.handOuts()}", "xstream.Count{ID: e.IDText(), Deliveries: e.Deliveries}"}},
			rules:  []string{"count"},
			faults: []string{"terminate consumer"},
		},
		{
			name:   "counts claims",
			edits:  []edit{{"internal/xstream/scripts.go", "0, ARGV[i], 'RETRYCOUNT', count)[1]\n    if e", "0, ARGV[i], 'RETRYCOUNT', count + 1)[1]\n    count = count + 1\n    if e"}},
			rules:  []string{"count"},
			faults: []string{"terminate consumer"},
		},
	}
}

// behind has members who can't keep up, so that there is always something to read
// and something in their buffers.
func behind(p *Plan) {
	p.Groups[0].MaxInFlight, p.Groups[0].Takes = 1, 3*time.Millisecond
	p.Publisher = task.Publisher{Every: 4 * time.Millisecond, Batch: 10}
}

// slowAndPoisoned has members whose messages are with others when they come back from
// a pause, and who then nack them.
func slowAndPoisoned(p *Plan) {
	p.Groups[0].MaxInFlight, p.Groups[0].MaxDeliveries, p.Groups[0].Takes = 8, 3, 900*time.Millisecond
	p.Publisher = task.Publisher{Every: 60 * time.Millisecond, Batch: 2, Poison: 2}
}

// plantedInGroups are mistakes in what members of a group do to each other.
func plantedInGroups() []plantedBug {
	return []plantedBug{
		{
			name: "hands out again what it holds",
			edits: []edit{
				{"group_source.go", "		if s.ledger.holds(p.ID) {\n			continue\n		}\n", ""},
				{"ledger.go", "held != nil && held.state != returning {", "held != nil && held.state == buffered {"},
			},
			rules:  []string{"exclusive", "twice"},
			faults: []string{"half-open connection", "connection reset", "CLIENT KILL", "kill server"},
		},
		{
			name:   "renews what belongs to others",
			edits:  []edit{{"internal/xstream/scripts.go", "1, ARGV[2])[1]\n  local n =", "1)[1]\n  local n ="}},
			rules:  []string{"exclusive", "robbed"},
			faults: []string{"pause consumer"},
			plan:   slowAndPoisoned,
		},
		{
			name: "releases what belongs to others",
			edits: []edit{{
				"internal/xstream/scripts.go", "1, ARGV[2])[1]\n  if p then\n    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[3]",
				"1)[1]\n  if p then\n    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[3]",
			}},
			rules:  []string{"exclusive", "robbed"},
			faults: []string{"pause consumer"},
			plan: func(p *Plan) {
				slowAndPoisoned(p)
				p.Groups[0].ReturnToGroup = true
			},
		},
		{
			name:   "creates a lost group at its end",
			edits:  []edit{{"group_restore.go", "Start: start.String(), Entries", "Start: \"$\", Entries"}},
			rules:  []string{"lost"},
			faults: []string{"XGROUP DESTROY"},
			plan:   behind,
		},
		{
			name:   "claims at once after an outage",
			edits:  []edit{{"claimer_others.go", "return c.member.minIdle/3 + time.Second }", "return 0 * time.Second }"}},
			rules:  []string{"exclusive", "robbed", "twice"},
			faults: []string{"pause server for long"},
			plan: func(p *Plan) {
				p.Groups[0].MaxInFlight, p.Groups[0].Takes = 8, 500*time.Millisecond
				p.Publisher = task.Publisher{Every: 40 * time.Millisecond, Batch: 2}
			},
		},
		{
			name:   "trusts its buffer after a pause",
			edits:  []edit{{"ledger_view.go", "return !e.counted || e.confirmed < instantOf(time.Now().Add(-age))", "return !e.counted"}},
			rules:  []string{"exclusive", "twice"},
			faults: []string{"pause consumer"},
			plan:   behind,
		},
		{
			name:   "leaves the work of the dead",
			edits:  []edit{{"claimer_others.go", "lookAtOthers(ctx context.Context) error {\n	if", "lookAtOthers(ctx context.Context) error {\n	return nil\n	if"}},
			rules:  []string{"lost", "settled"},
			faults: []string{"kill consumer"},
			plan:   func(p *Plan) { p.Groups[0].MaxInFlight = 8 },
		},
	}
}
