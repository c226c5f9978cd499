package chaos

import (
	"time"

	"github.com/watermill-rueidis/redisstream/tests/chaos/task"
)

// plantedAtEnds are mistakes at the ends of a stream and of a subscription: in what
// comes in, in what order, and in what is left.
func plantedAtEnds() []plantedBug {
	return []plantedBug{
		{
			name: "publishes again what may be there",
			edits: []edit{{
				"publisher.go", "	return p.report(topic, messages, p.adder.Add(ctx, topic, entries)...)\n",
				"	added := p.adder.Add(ctx, topic, entries)\n	if added[0].Err != nil {\n		added = p.adder.Add(ctx, topic, entries)\n	}\n	return p.report(topic, messages, added...)\n",
			}},
			rules:  []string{"publish outcome"},
			faults: []string{"pause server for long"},
		},
		{
			name: "adds a batch backwards",
			edits: []edit{
				{"internal/xstream/add.go", "a.command(whole, nil, &entries[0]))", "a.command(whole, nil, &entries[len(entries)-1]))"},
				{"internal/xstream/add.go", "&entries[i+1]))", "&entries[len(entries)-2-i]))"},
			},
			rules:  []string{"publish outcome", "publish order"},
			faults: []string{"SCRIPT FLUSH"},
		},
		{
			name: "hands out the newest first",
			edits: []edit{{
				"ledger.go", "	e := l.buffer[0]\n",
				"	last := len(l.buffer) - 1\n	l.buffer[0], l.buffer[last] = l.buffer[last], l.buffer[0]\n	e := l.buffer[0]\n",
			}},
			rules:  []string{"group order"},
			faults: []string{"SCRIPT FLUSH"},
			plan: func(p *Plan) {
				behind(p)
				p.Groups[0].Count = 1
			},
		},
		{
			name:   "loses its place without a group",
			edits:  []edit{{"stream_source.go", "	s.check, s.broken = false, false\n", "	s.cursor, s.check, s.broken = last, false, false\n"}},
			rules:  []string{"fan-out gaps"},
			faults: []string{"connection reset", "CLIENT KILL", "kill server", "black hole"},
			plan:   func(p *Plan) { p.FanOut = []Members{{Count: 1, MaxInFlight: 1}} },
		},
		{
			name:   "puts dead letters back twice",
			edits:  []edit{{"internal/xstream/scripts.go", "redis.call('XDEL', KEYS[2], ARGV[2])\nreturn 1", "return 1"}},
			rules:  []string{"dead letters"},
			faults: []string{"SCRIPT FLUSH"},
			plan: func(p *Plan) {
				p.Groups[0].MaxDeliveries, p.Publisher.Poison, p.Requeue = 2, 5, true
			},
		},
		{
			name: "drops the last acks",
			edits: []edit{{
				"acker.go", "	for {\n		n, err := a.flush(ctx)\n",
				"	for {\n		select {\n		case <-a.finish:\n			return\n		default:\n		}\n		n, err := a.flush(ctx)\n",
			}},
			rules:  []string{"twice"},
			faults: []string{"terminate consumer"},
		},
		{
			name:   "acks all but one",
			edits:  []edit{{"acker.go", "m.group.Ack(ctx, ids)", "m.group.Ack(ctx, ids[:max(1, len(ids)-1)])"}},
			rules:  []string{"twice"},
			faults: []string{"SCRIPT FLUSH"},
			plan:   func(p *Plan) { p.Groups[0].MaxInFlight = 8 },
		},
		{
			name: "leaves its consumer behind",
			edits: []edit{{
				"internal/xstream/scripts.go", "redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])\nreturn {n, 1}", "return {n, 1}",
			}},
			rules:  []string{"left behind"},
			faults: []string{"terminate consumer"},
		},
		{
			name:   "waits for handlers for ever",
			edits:  []edit{{"subscription.go", "	timer := time.NewTimer(s.closeTimeout)\n", "	timer := time.NewTimer(time.Hour)\n"}},
			rules:  []string{"ends"},
			faults: []string{"terminate consumer"},
			plan: func(p *Plan) {
				p.Groups[0].MaxInFlight, p.Groups[0].Takes = 8, 6*time.Second
				p.Publisher = task.Publisher{Every: 400 * time.Millisecond, Batch: 2}
			},
		},
	}
}
