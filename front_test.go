package redisstream

import (
	"testing"
	"testing/synctest"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
)

// fronting is a front that notes what becomes of messages.
type fronting struct {
	front

	settled []string      // noticed by the front
	entrust chan string   // given to a goroutine
	end     chan struct{} // lets those goroutines end
}

func newFronting() *fronting {
	f := &fronting{entrust: make(chan string, 100), end: make(chan struct{})}
	f.acked = func(_ *entry, sent *delivery) { f.settled = append(f.settled, sent.msg.UUID) }
	f.attend = func(_ *entry, sent *delivery) {
		f.entrust <- sent.msg.UUID
		<-f.end
	}
	return f
}

func (f *fronting) hand(uuid string) *message.Message {
	msg := message.NewMessage(uuid, nil)
	f.add(&entry{}, &delivery{msg: msg})
	return msg
}

func TestFrontCollectsAcksInOrder(t *testing.T) {
	t.Parallel()
	f := newFronting()
	a, b, c := f.hand("a"), f.hand("b"), f.hand("c")
	all := f.recent
	f.collect()
	require.Empty(t, f.settled)
	b.Ack()
	f.collect()
	require.Empty(t, f.settled, "the first one is not settled")
	a.Ack()
	f.collect()
	require.Equal(t, []string{"a", "b"}, f.settled)
	require.Equal(t, []handOut{{}, {}}, all[:2], "what is settled may be large")
	c.Nack()
	f.collect()
	require.Equal(t, []string{"a", "b"}, f.settled, "a nack takes time")
	close(f.end)
	f.close()
	require.Equal(t, "c", <-f.entrust)
	require.Empty(t, f.entrust)
}

func TestFrontEntrustsWhatTakesLong(t *testing.T) {
	t.Parallel()
	f := newFronting()
	f.hand("slow")
	for range frontMost - 1 {
		f.hand("fast").Ack()
	}
	require.Empty(t, f.entrust)
	f.hand("another")
	require.Equal(t, "slow", <-f.entrust)
	f.collect()
	require.Len(t, f.settled, frontMost-1)
	f.front.entrust()
	require.Equal(t, "another", <-f.entrust)
	require.Nil(t, f.tired(), "there is nothing to wait for")
	for _, kept := range f.recent[:cap(f.recent)] {
		require.Nil(t, kept.sent, "what is handed over may be large")
	}
	close(f.end)
	f.close()
}

func TestFrontIsTiredSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFronting()
		f.hand("a")
		<-f.tired()
		f.front.entrust()
		require.Equal(t, "a", <-f.entrust)
		f.hand("b")
		<-f.tired()
		close(f.end)
		f.close()
		require.Equal(t, "b", <-f.entrust)
	})
}

func TestNobodysFront(t *testing.T) {
	t.Parallel()
	var f *front
	require.Nil(t, f.tired())
	f.entrust()
}
