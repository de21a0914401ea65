// Package heartbeat is how a member talks to a group service: Client is the service
// as one member sees it, and Loop sends its heartbeats.
//
// # Writing a Client
//
// A Client has to carry one heartbeat and say what it can promise. Everything else,
// leaving, pushing, creating the group, saying that it is degraded, is an ability that it
// may have: Leaver, Notifier, Creator, Degradable. A Client that is also a store of
// checkpoints implements processor.Checkpoints; the coordinator then uses it as such.
//
// Errors decide what a member does next, so a Client returns the right ones:
// ErrEvicted, ErrReplaced, ErrGroupNotFound and ErrUnauthorized where they apply,
// an error with a method Retryable() bool that returns false for what no repetition
// can mend, and anything else for what may pass. An ErrUnauthorized that is Retryable is
// tried again while the lease lasts, or for one Info.TTL where there is no lease yet. An
// answer that cannot be parsed is an error, never an empty answer.
//
// Package heartbeattest checks a Client against all that this package and package
// shardset promise. Package memory is the embedded service.
package heartbeat
