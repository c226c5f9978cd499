package redisstream_test

import (
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"
	"testing"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

func TestClientOptionMakesAClient(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client, err := rueidis.NewClient(redisstream.ClientOption(server.Addr()))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	require.Equal(t, rueidis.ClientModeStandalone, client.Mode())
	s := newSubscriber(t, server, redisstream.SubscriberConfig{Client: client, ConsumerGroup: "g"})
	out := subscribe(t, s, "orders")
	uuids := publish(t, newPublisher(t, client), "orders", 3)
	require.Equal(t, uuids, receiveAndAck(t, out, 3, healTime))
}

// The password changes while everything runs, and all connections are closed. Each new one goes
// through the user's dialer and asks for the credentials of the day.
func TestCredentialsMayChange(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	var password atomic.Value
	set := func(text string) {
		password.Store(text)
		server.Do(t, "ACL", "SETUSER", "app", "reset", "on", ">"+text, "~*", "+@all")
	}
	set("first")
	var dials atomic.Int64
	option := redisstream.ClientOption(server.Addr())
	option.AuthCredentialsFn = func(rueidis.AuthCredentialsContext) (rueidis.AuthCredentials, error) {
		text, _ := password.Load().(string)
		return rueidis.AuthCredentials{Username: "app", Password: text}, nil
	}
	option.DialCtxFn = func(ctx context.Context, addr string, dialer *net.Dialer, _ *tls.Config) (net.Conn, error) {
		dials.Add(1)
		return dialer.DialContext(ctx, "tcp", addr)
	}
	client, err := rueidis.NewClient(option)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	p, topic := newPublisher(t, client), newTopic(t)
	group := subscribe(t, newSubscriber(t, server, redisstream.SubscriberConfig{Client: client, ConsumerGroup: "g"}), topic)
	follower := subscribe(t, newSubscriber(t, server, redisstream.SubscriberConfig{Client: client}), topic)
	for _, text := range []string{"second", "third"} {
		before := dials.Load()
		set(text)
		server.Do(t, "CLIENT", "KILL", "USER", "app")
		var uuids []string
		eventually(t, healTime, func() bool {
			msg := message.NewMessage(watermill.NewUUID(), message.Payload("x"))
			uuids = append(uuids, msg.UUID)
			return p.Publish(topic, msg) == nil
		}, "it publishes again")
		for _, out := range []<-chan *message.Message{group, follower} {
			for {
				msg := receive(t, out, healTime)
				msg.Ack()
				if msg.UUID == uuids[len(uuids)-1] {
					break
				}
			}
		}
		require.Greater(t, dials.Load(), before+2, "by the user's dialer")
	}
}
