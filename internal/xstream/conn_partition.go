package xstream

import (
	"context"

	"github.com/redis/rueidis"
)

// ReadPartition is ReadGroup for the partition's consumer, whatever r says of a consumer
// and of acks. cursor is the last ID that the owner of the partition has taken in.
//
// Behind the read it looks for what is pending above the cursor. An earlier owner's read
// may be executed late and take entries away under this consumer's name; they come before
// the batch, or there is none, and the lowest of them is the straggler. Then the batch is
// to be thrown away and all above the cursor to be recalled, or the order is lost. The
// check has to come after the read: before it, it would miss what goes meanwhile.
func (c *Conn) ReadPartition(ctx context.Context, p Partition, r GroupRead, cursor ID) (entries []Entry, straggler *Pending, err error) {
	if r.Count < 1 {
		return nil, nil, ErrBadCount
	}
	c.group.Store(&p.Name)
	ctx, done := c.limit(ctx, r.Block+r.Slack)
	defer done()
	replies := c.dedicated.DoMulti(ctx,
		c.dedicated.B().Xreadgroup().Group(p.Name, p.Consumer).Count(int64(r.Count)).Block(r.Block.Milliseconds()).
			Streams().Key(p.Key).Id(">").Build(),
		p.reading("XPENDING", "", p.Name, cursor.Next().String(), "+", "1"),
	)
	if entries, err = c.batch(explained(replies[0], "xreadgroup", p.Key)); err != nil {
		return nil, nil, err
	}
	if straggler, err = lowestOf(explained(replies[1], "xpending", p.Key)); err != nil {
		return nil, nil, err
	}
	if straggler != nil && len(entries) > 0 && !straggler.ID.Less(entries[0].ID) {
		straggler = nil
	}
	return entries, straggler, nil
}

// lowestOf is the one row of a list of pending entries, or nil.
func lowestOf(reply rueidis.RedisResult) (*Pending, error) {
	rows, err := reply.ToArray()
	if err != nil || len(rows) == 0 {
		return nil, ignoreNil(err)
	}
	row, err := parsePending(&rows[0])
	if err != nil {
		return nil, err
	}
	return &row, nil
}
