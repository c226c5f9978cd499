package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
)

const (
	work = 5 * time.Millisecond
	// The movement that fails when it comes for the first time.
	failing = movements / 3
)

// book has what was handled, and notices what was not in order.
type book struct {
	run       string // what an earlier run has left in the topic is not ours
	partition func(ctx context.Context) (int, bool)
	complete  chan struct{} // closed when every movement is booked

	mu       sync.Mutex // protects the following fields
	pages    map[string]*page
	booked   int
	repeated int
	failed   bool
	errs     []error
}

// page is that of an account.
type page struct {
	partition int
	last      int            // number of the last movement that is booked
	by        map[string]int // how many, by member
}

func newBook(partition func(ctx context.Context) (int, bool)) *book {
	return &book{
		run:       watermill.NewShortUUID(),
		partition: partition,
		complete:  make(chan struct{}),
		pages:     map[string]*page{},
	}
}

// clerk writes into the book, for a member of the group.
type clerk struct {
	book   *book
	member string
}

// handle handles a message. What it returns decides: nil acks it, an error nacks it, and
// then it comes again before the next one of its account.
func (c clerk) handle(msg *message.Message) error {
	b := c.book
	if msg.Metadata.Get(runKey) != b.run {
		return nil
	}
	account := msg.Metadata.Get(accountKey)
	number, err := strconv.Atoi(msg.Metadata.Get(numberKey))
	if err != nil {
		return err
	}
	partition, _ := b.partition(msg.Context())
	if err := b.begin(account, number, partition); err != nil {
		return err
	}
	time.Sleep(work)
	b.end(c.member, account, number)
	return nil
}

// begin checks that the movement before is booked.
func (b *book) begin(account string, number, partition int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.pages[account]
	if p == nil {
		p = &page{partition: partition, by: map[string]int{}}
		b.pages[account] = p
	}
	if number > p.last+1 {
		b.errs = append(b.errs, fmt.Errorf("%s: movement %d came when %d was the last one booked", account, number, p.last))
	}
	if partition != p.partition {
		b.errs = append(b.errs, fmt.Errorf("%s: in partition %d and in %d", account, p.partition, partition))
	}
	if number == failing && !b.failed {
		b.failed = true
		return errors.New("the ledger is busy")
	}
	return nil
}

// end books a movement, unless it is: delivery is at least once with both brokers.
func (b *book) end(member, account string, number int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.pages[account]
	if number <= p.last {
		b.repeated++
		return
	}
	p.last = number
	p.by[member]++
	if b.booked++; b.booked == accounts*movements {
		close(b.complete)
	}
}

// show prints a row for each account.
func (b *book) show() {
	b.mu.Lock()
	defer b.mu.Unlock()
	fmt.Println("account    partition  member 1  member 2")
	for _, account := range slices.Sorted(maps.Keys(b.pages)) {
		p := b.pages[account]
		fmt.Printf("%s  %9d  %8d  %8d\n", account, p.partition, p.by["member 1"], p.by["member 2"])
	}
	fmt.Printf("\npublished %d   booked %d   repeated %d   out of order %d\n", accounts*movements, b.booked, b.repeated, len(b.errs))
}

// verdict is what was wrong.
func (b *book) verdict() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return errors.Join(b.errs...)
}
