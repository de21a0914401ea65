// Package heartbeat defines what the author of a group service implements: a Client, which
// connects a member to the service. The coordinator decides when to send a heartbeat, sends
// it with Client.Beat, and applies the answer.
//
// # Writing a Client
//
// A Client sends a heartbeat (Beat) and describes the service (Info). It may have more
// abilities: Leaver, Notifier, Creator, Degradable. A Client that also stores checkpoints
// implements processor.Checkpoints. The coordinator then uses it as the store.
//
// # Errors
//
// The error of a heartbeat decides what the member does next:
//
//   - ErrEvicted: the member stops all shards and joins again.
//   - ErrReplaced, ErrGroupNotFound and ErrUnauthorized end Run; their comments list the
//     exceptions.
//   - An error with a method Retryable() bool that returns false ends Run: no later try
//     can succeed.
//   - After any other error the member pauses and tries again. An error with a method
//     RetryAfter() time.Duration makes the pause longer.
//
// An answer that cannot be parsed is an error, never an empty answer.
//
// Package heartbeattest tests a Client against these rules. Package memory has a service for
// the members of one process.
package heartbeat
