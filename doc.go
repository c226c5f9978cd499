// Package redisstream is a Watermill Pub/Sub on Redis Streams, built on rueidis.
//
// With a consumer group, the members of the group share a topic's messages and
// each is acked once; delivery is at least once. Without one, every subscription
// sees every entry of the stream from its start position on.
//
// A message that is nacked, or whose consumer dies, comes again. A consumer
// renews what its handlers work on, so it does not matter how long they take.
// What a subscription has not processed when it ends goes to another one at
// once. An entry that is no message never stops a subscription: it goes, whole,
// to the group's dead letters. Whatever happens to Redis, a subscription goes on
// when Redis does.
//
// Delivery is not exactly once: an answer of Redis that never arrives leaves it
// open whether something was published, and a consumer that dies between its
// work and its ack sees the message again. Handlers should bear that.
//
// The client stays the caller's. The wire format is that of
// github.com/ThreeDotsLabs/watermill-redisstream, with which a stream and a group
// can be shared.
package redisstream
