// Package xstream speaks Redis Streams: it is the only place in this module
// that builds a command, reads a reply or holds a script. It knows nothing of
// Watermill.
//
// Every call takes a context, and the caller gives it a deadline: rueidis has
// none of its own for a blocking command, and retries nothing that writes.
// Commands that only read are built so that rueidis neither retries them for
// ever nor sends them to a replica, whose answer would be stale.
package xstream
