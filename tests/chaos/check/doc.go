// Package check judges the history of a round of faults by what the library
// promises. A rule has a file of its own, which says what it holds and what it
// excuses: what a fault may do according to the README, and nothing else.
package check
