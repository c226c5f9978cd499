// Cqrs books rooms with Watermill's CQRS component. A command has one handler,
// whoever of its group gets it; an event goes to every event group, and within a
// group to one member. Each handler and each event group is a consumer group.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/components/cqrs"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/rueidis"

	"github.com/watermill-rueidis/redisstream"
)

// BookRoom is a command.
type BookRoom struct {
	Room   int
	Guest  string
	Nights int
}

// RoomBooked is an event: what became of a BookRoom.
type RoomBooked struct {
	Room   int
	Guest  string
	Nights int
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "cqrs:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	client, server, disconnect, err := connect()
	if err != nil {
		return err
	}
	defer disconnect()
	fmt.Printf("Redis is %s.\n\n", server)

	bookings := []BookRoom{{101, "Ada", 2}, {102, "Barbara", 1}, {201, "Grace", 3}, {202, "Edsger", 1}, {203, "Tony", 4}}
	h := newHotel(client, len(bookings))
	if err := h.open(); err != nil {
		return err
	}
	ctx, closeHotel := context.WithCancel(ctx)
	defer closeHotel()
	sent := make(chan error, 1)
	go func() {
		sent <- h.book(ctx, bookings)
		closeHotel()
	}()
	err = h.router.Run(ctx)
	closeHotel()
	if err := errors.Join(err, <-sent, h.publisher.Close()); err != nil {
		return err
	}
	return h.summary(ctx)
}

// hotel is the application: two buses, one command handler, two event groups.
type hotel struct {
	client    rueidis.Client
	logger    watermill.LoggerAdapter
	marshaler cqrs.CommandEventMarshaler
	prefix    string // of the topics, so that each run has its own

	publisher *redisstream.Publisher
	router    *message.Router
	commands  *cqrs.CommandBus
	events    *cqrs.EventBus

	// Delivery is at least once, so handlers bear to be called twice: they set
	// what is so for a room, and count nothing.
	want     int // bookings
	done     chan struct{}
	mu       sync.Mutex // protects the following fields
	booked   map[int]bool
	invoices map[int]int
	cleaned  map[int]bool
}

func newHotel(client rueidis.Client, bookings int) *hotel {
	level := &slog.HandlerOptions{Level: slog.LevelError}
	return &hotel{
		client:    client,
		logger:    watermill.NewSlogLogger(slog.New(slog.NewTextHandler(os.Stderr, level))),
		marshaler: cqrs.JSONMarshaler{GenerateName: cqrs.StructName},
		prefix:    "cqrs-" + watermill.NewShortUUID() + ".",
		want:      bookings,
		done:      make(chan struct{}),
		booked:    map[int]bool{},
		invoices:  map[int]int{},
		cleaned:   map[int]bool{},
	}
}

// open puts the parts together.
func (h *hotel) open() (err error) {
	if h.publisher, err = redisstream.NewPublisher(redisstream.PublisherConfig{Client: h.client}, h.logger); err != nil {
		return err
	}
	if h.router, err = message.NewRouter(message.RouterConfig{}, h.logger); err != nil {
		return err
	}
	if h.commands, err = cqrs.NewCommandBusWithConfig(h.publisher, cqrs.CommandBusConfig{
		GeneratePublishTopic: func(p cqrs.CommandBusGeneratePublishTopicParams) (string, error) {
			return h.prefix + p.CommandName, nil
		},
		Marshaler: h.marshaler,
		Logger:    h.logger,
	}); err != nil {
		return err
	}
	if h.events, err = cqrs.NewEventBusWithConfig(h.publisher, cqrs.EventBusConfig{
		GeneratePublishTopic: func(cqrs.GenerateEventPublishTopicParams) (string, error) {
			return h.eventTopic(), nil
		},
		Marshaler: h.marshaler,
		Logger:    h.logger,
	}); err != nil {
		return err
	}
	return errors.Join(h.addCommandHandlers(), h.addEventGroups())
}

// eventTopic is one topic for all events, which keeps them in their order.
func (h *hotel) eventTopic() string { return h.prefix + "events" }

func (h *hotel) subscriber(group string) (message.Subscriber, error) {
	return redisstream.NewSubscriber(redisstream.SubscriberConfig{Client: h.client, ConsumerGroup: group}, h.logger)
}

func (h *hotel) addCommandHandlers() error {
	processor, err := cqrs.NewCommandProcessorWithConfig(h.router, cqrs.CommandProcessorConfig{
		GenerateSubscribeTopic: func(p cqrs.CommandProcessorGenerateSubscribeTopicParams) (string, error) {
			return h.prefix + p.CommandName, nil
		},
		SubscriberConstructor: func(p cqrs.CommandProcessorSubscriberConstructorParams) (message.Subscriber, error) {
			return h.subscriber(p.HandlerName)
		},
		Marshaler: h.marshaler,
		Logger:    h.logger,
	})
	if err != nil {
		return err
	}
	return processor.AddHandlers(cqrs.NewCommandHandler("front-desk", h.handleBookRoom))
}

func (h *hotel) addEventGroups() error {
	processor, err := cqrs.NewEventGroupProcessorWithConfig(h.router, cqrs.EventGroupProcessorConfig{
		GenerateSubscribeTopic: func(cqrs.EventGroupProcessorGenerateSubscribeTopicParams) (string, error) {
			return h.eventTopic(), nil
		},
		SubscriberConstructor: func(p cqrs.EventGroupProcessorSubscriberConstructorParams) (message.Subscriber, error) {
			return h.subscriber(p.EventGroupName)
		},
		AckOnUnknownEvent: true,
		Marshaler:         h.marshaler,
		Logger:            h.logger,
	})
	if err != nil {
		return err
	}
	return errors.Join(
		processor.AddHandlersGroup("accounting", cqrs.NewGroupEventHandler(h.invoice)),
		processor.AddHandlersGroup("housekeeping", cqrs.NewGroupEventHandler(h.clean)),
	)
}

// book sends the commands and waits until all that follows from them has
// happened.
func (h *hotel) book(ctx context.Context, bookings []BookRoom) error {
	select {
	case <-h.router.Running():
	case <-ctx.Done():
		return nil
	}
	for _, b := range bookings {
		say("command", "BookRoom", b.Room, "for "+b.Guest)
		if err := h.commands.Send(ctx, b); err != nil {
			return err
		}
	}
	select {
	case <-h.done:
	case <-ctx.Done():
	}
	return nil
}

// handleBookRoom is the command's handler. The command is acked when the event
// is in Redis: if this process dies in between, both are done again.
func (h *hotel) handleBookRoom(ctx context.Context, c *BookRoom) error {
	h.note(func() { h.booked[c.Room] = true })
	say("  front-desk", "RoomBooked", c.Room, "for "+c.Guest)
	return h.events.Publish(ctx, RoomBooked(*c))
}

func (h *hotel) invoice(_ context.Context, e *RoomBooked) error {
	const perNight = 80
	say("    accounting", "invoice", e.Room, fmt.Sprintf("%d EUR", e.Nights*perNight))
	h.note(func() { h.invoices[e.Room] = e.Nights * perNight })
	return nil
}

func (h *hotel) clean(_ context.Context, e *RoomBooked) error {
	say("    housekeeping", "clean", e.Room, "")
	h.note(func() { h.cleaned[e.Room] = true })
	return nil
}

// note changes the books, and closes done when they are complete.
func (h *hotel) note(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	complete := func() bool { return len(h.invoices) == h.want && len(h.cleaned) == h.want }
	before := complete()
	if change(); complete() && !before {
		close(h.done)
	}
}

func say(who, what string, room int, how string) {
	line := fmt.Sprintf("%-17s %-11s %d  %s", who, what, room, how)
	fmt.Println(strings.TrimRight(line, " "))
}

// summary shows what has happened, and removes the streams.
func (h *hotel) summary(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	revenue := 0
	for _, sum := range h.invoices {
		revenue += sum
	}
	fmt.Printf("\nbooked %d   invoiced %d EUR   cleaned %d\n", len(h.booked), revenue, len(h.cleaned))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	for _, topic := range []string{h.prefix + "BookRoom", h.eventTopic()} {
		if err := h.client.Do(ctx, h.client.B().Del().Key(topic).Build()).Error(); err != nil {
			return err
		}
	}
	return nil
}
