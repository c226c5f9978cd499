// Package chaos runs consumers and publishers as processes on a real server, breaks what
// can break, and has everything that they did judged afterwards.
//
// A round is made from a seed: who takes part, and which faults happen when. When the last
// fault is over, everything has to be settled in time. [history] says what is written down, and
// the README of this folder how each fault is made and how to run rounds.
package chaos
