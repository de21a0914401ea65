// Package replicatedtest has what tests of replicated groups are made of: a store in
// this process whose faults can be set, the conformance suite that every
// replicated.Store passes, a TCP proxy that cuts connections in all the ways a network
// does, a ledger that checks a whole system's history from outside, and a crowd of real
// coordinators to write that history under faults.
package replicatedtest
