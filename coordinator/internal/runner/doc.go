// Package runner runs processors. A Run processes one shard under one grant: it restarts the
// processor after errors, stops it in two steps, and returns only after its last commit has
// ended.
//
// A Runner makes the runs of one member. They share its Config and one MemberLease. The
// coordinator calls Run.Do on a goroutine, and stops the run with Run.Revoke and Run.Cancel.
package runner
