// Package schedule decides what a process does for a group that it keeps together with
// others in a store: when it writes the document, when it expires a member, which records it
// reads. It is pure: no goroutine, lock, clock, channel or I/O, and chance is an argument. The
// rules that make the group safe are in the package comment of heartbeat/replicated.
//
// A Scheduler takes events: a version of the document or of a record, the result of a read or
// of a write, a heartbeat of a member of this process. After each event, and at Plan.WakeAt,
// its shell asks for the Plan and executes all of it. What the plan starts, it counts as under
// way until an event reports the result. Until then no plan asks for it again:
//
//	Plan                the event that ends it
//	WatchDocument       DocumentWatchEnded, once it is false or the watch broke
//	WatchRecords        RecordWatchEnded, likewise
//	ReadDocument        DocumentReadDone
//	WriteDocument       DocumentWritten or DocumentNotWritten
//	Expire              TombstoneWritten, TombstoneConflicted or TombstoneFailed, for each
//	Probe               Probed, for each
//	AskClock            ClockAnswered
//
// The others (Delete, Wake, DocumentChanged, Notices) are done when they are executed.
package schedule
