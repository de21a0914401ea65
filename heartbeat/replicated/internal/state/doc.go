// Package state describes a consumer group that several processes keep in one store: a Document
// holds the group, and a Record holds the last heartbeat of each member. Each process has a Replica.
// The process passes the Replica every document and record that it reads, and the Replica returns
// what the process must write. The package is pure: no goroutine, lock, channel, clock or I/O.
//
// Documents and records hold no times. A Record shows whether its instance has ended. A Replica applies
// many records in one step: it passes them to the Group by the methods Beat, Leave and Evict. A record
// that is applied twice changes nothing the second time.
package state
