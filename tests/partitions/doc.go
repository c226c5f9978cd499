// Package partitions runs members of a group on a topic with partitions as processes on a real
// server, has them come and go, kills, pauses and cuts them off, and has all that they did
// judged afterwards: the order of each key, who had which partition when, and how even the
// shares are.
//
// A round is made from a seed. The README of this folder says how each fault is made, which
// rules there are, and how to run rounds.
package partitions
