// Package state is a consumer group as processes keep it together in a store: a Document
// for the group, a Record for each member, and for each process a Replica, which is shown
// the versions of both and says what to write. It is pure: no goroutine, lock, channel,
// clock or I/O.
//
// Nothing in a document or a record is a time: whether an instance is over, its record says.
// The same events that Beat, Leave and Evict are for a group in memory are taken from the
// records, many at once, and to take one twice changes nothing.
package state
