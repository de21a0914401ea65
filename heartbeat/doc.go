// Package heartbeat is what the author of a group service implements: Client is the service
// as one member of a group sees it. The coordinator decides when to send a heartbeat, sends
// it with Client.Beat, and applies the answer.
//
// # Writing a Client
//
// A Client carries one heartbeat and says what it can promise (Info). Everything else is an
// ability that it may have: Leaver, Notifier, Creator, Degradable. A Client that also stores
// checkpoints implements processor.Checkpoints; the coordinator then uses it as the store.
//
// # Errors
//
// The error of a heartbeat decides what the member does next:
//
//   - ErrEvicted: the member stops all shards and joins again.
//   - ErrReplaced, ErrGroupNotFound and ErrUnauthorized end Run; their comments list the
//     exceptions.
//   - An error with a method Retryable() bool that returns false ends Run: no repetition
//     can succeed.
//   - After any other error the member tries again while its lease lasts, after a pause. An
//     error with a method RetryAfter() time.Duration makes the pause longer.
//
// An answer that cannot be parsed is an error, never an empty answer.
//
// Package heartbeattest checks a Client against all of this. Package memory is the embedded
// service.
package heartbeat
