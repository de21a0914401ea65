// Package runner runs processors: for each grant one Run, which starts the processor again
// after errors, stops it in two steps, and returns only once the last commit is decided.
//
// A Runner has what the runs of a member share, and a MemberLease is their lease. The
// coordinator launches Run.Do, and steers the run with Revoke and Cancel.
package runner
