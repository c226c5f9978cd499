// Package incumbent holds the tests that redisstream and watermill-redisstream
// understand each other. They are a module of their own, so that nobody who uses
// redisstream gets the other library and its client into their module graph.
package incumbent
