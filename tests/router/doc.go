// Package router holds the tests of subscriptions in Watermill's router, with the
// middlewares that come with it. They are a module of their own, so that nobody
// who uses redisstream gets what only middlewares need into their module graph.
package router
