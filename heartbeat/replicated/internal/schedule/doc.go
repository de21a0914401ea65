// Package schedule decides what one process does for a group that several processes run in a store:
// when it writes the document, when it expires a member, and which records it reads. The package is
// pure: no goroutine, lock, clock, channel or I/O, and random numbers come from the caller. The
// package comment of heartbeat/replicated has the rules that make the group safe.
//
// The shell is the part of the program that does I/O. It passes events to a Scheduler: a version of
// the document or of a record, the result of a read or of a write, a heartbeat of a member of this
// process. After each event, and at Plan.WakeAt, the shell asks for the Plan and executes all of
// it. The Scheduler counts what a plan starts as under way until an event reports the result. Until
// then no plan asks for it again:
//
//	Plan                the event that ends it
//	WatchDocument       DocumentWatchEnded, once it is false or the watch broke
//	WatchRecords        RecordWatchEnded, likewise
//	ReadDocument        DocumentReadDone
//	WriteDocument       DocumentWritten, DocumentConflicted or DocumentNotWritten
//	Expire              TombstoneWritten, TombstoneConflicted or TombstoneFailed, for each
//	Probe               Probed, for each
//	AskClock            ClockAnswered
//
// The other fields (Delete, Wake, DocumentChanged, Notices) need no such event.
package schedule
