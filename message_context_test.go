package redisstream

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

type testKey struct{}

var errEnd = errors.New("the end of the test's context")

func newMessageContext() *messageContext {
	values := context.WithValue(context.Background(), testKey{}, "value")
	return &messageContext{origin: origin{opener: &opener{place: place{stream: "s"}, values: values}, id: xstream.ID{Ms: 5, Seq: 7}, deliveries: 3}}
}

// Most handlers never ask for the end of the context, and should not pay for it.
func TestMessageContextIsLazy(t *testing.T) {
	t.Parallel()
	c := newMessageContext()
	require.NoError(t, c.Err())
	_, limited := c.Deadline()
	require.False(t, limited)
	require.Equal(t, "value", c.Value(testKey{}))
	require.Nil(t, c.Value("none"))
	entryID, _ := EntryIDFromContext(context.WithValue(c, testKey{}, "other"))
	require.Equal(t, "5-7", entryID)
	require.Nil(t, c.ending)
	c.end(errEnd)
	require.Nil(t, c.ending.inner)
	require.NotNil(t, c.Done())
	require.NotNil(t, c.ending.inner)
}

func TestMessageContextEnds(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(*messageContext){
		"never asked":      func(*messageContext) {},
		"asked for Done":   func(c *messageContext) { c.Done() },
		"asked for Err":    func(c *messageContext) { _ = c.Err() },
		"asked for a key":  func(c *messageContext) { c.Value(testKey{}) },
		"made another one": func(c *messageContext) { context.AfterFunc(c, func() {}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newMessageContext()
			before(c)
			require.NoError(t, c.Err())
			require.NoError(t, context.Cause(c))
			c.end(errEnd)
			c.end(errors.New("the first one counts"))
			require.ErrorIs(t, c.Err(), context.Canceled)
			require.Equal(t, errEnd, context.Cause(c))
			<-c.Done()
			require.Equal(t, "value", c.Value(testKey{}))
			entryID, ok := EntryIDFromContext(c)
			require.True(t, ok)
			require.Equal(t, "5-7", entryID)
		})
	}
}

// The cause is there without anybody having asked for Done.
func TestMessageContextKnowsItsCauseAtOnce(t *testing.T) {
	t.Parallel()
	c := newMessageContext()
	c.end(errEnd)
	require.Equal(t, errEnd, context.Cause(c))
}

func TestContextsMadeFromAMessagesEndWithIt(t *testing.T) {
	t.Parallel()
	for name, when := range map[string]struct{ before, after func(*messageContext) }{
		"made before": {before: func(*messageContext) {}, after: func(c *messageContext) { c.end(errEnd) }},
		"made after":  {before: func(c *messageContext) { c.end(errEnd) }, after: func(*messageContext) {}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newMessageContext()
			when.before(c)
			canceled, cancel := context.WithCancel(c)
			defer cancel()
			limited, cancel := context.WithTimeout(context.WithValue(c, testKey{}, "other"), time.Hour)
			defer cancel()
			called := make(chan struct{})
			context.AfterFunc(limited, func() { close(called) })
			when.after(c)
			for _, ctx := range []context.Context{canceled, limited} {
				<-ctx.Done()
				require.ErrorIs(t, ctx.Err(), context.Canceled)
				require.Equal(t, errEnd, context.Cause(ctx))
				entryTime, ok := EntryTimeFromContext(ctx)
				require.True(t, ok)
				require.True(t, entryTime.Equal(time.UnixMilli(5)))
			}
			<-called
			require.Equal(t, "other", limited.Value(testKey{}))
		})
	}
}

func TestMessageContextIsNotEndedByOneMadeFromIt(t *testing.T) {
	t.Parallel()
	c := newMessageContext()
	ctx, cancel := context.WithCancelCause(c)
	cancel(errEnd)
	require.Equal(t, errEnd, context.Cause(ctx))
	require.NoError(t, c.Err())
	require.NoError(t, context.Cause(c))
}

// A context that the context package does not know costs a goroutine for each
// one made from it. It would not end here, and the bubble would say so.
func TestContextsMadeFromAMessagesNeedNoGoroutine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(*testing.T) {
		context.AfterFunc(newMessageContext(), func() {})
	})
}

func TestMessageContextFromManyGoroutines(t *testing.T) {
	t.Parallel()
	for range 300 {
		c := newMessageContext()
		var group sync.WaitGroup
		for range 2 {
			group.Go(func() { c.end(errEnd) })
			group.Go(func() { <-c.Done() })
			group.Go(func() { _, _ = c.Err(), c.Value(testKey{}) })
			group.Go(func() {
				ctx, cancel := context.WithCancel(c)
				defer cancel()
				<-ctx.Done()
				if context.Cause(ctx) != errEnd { //nolint:errorlint // it is not wrapped
					t.Error("wrong cause")
				}
			})
		}
		group.Wait()
		require.Equal(t, errEnd, context.Cause(c))
	}
}
