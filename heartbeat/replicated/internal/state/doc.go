// Package state is a consumer group as several processes keep it together in a store: one
// Document for the group, one Record for each member. Each process has a Replica. It takes the
// versions of both that the process reads, and returns what the process must write. The package is
// pure: no goroutine, lock, channel, clock or I/O.
//
// Documents and records hold no times: whether an instance is over, its record says. A Replica
// applies records as the events Beat, Leave and Evict of a Group, many at once. To apply a record
// twice changes nothing.
package state
