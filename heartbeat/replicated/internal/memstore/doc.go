// Package memstore is a replicated.Store in memory for tests. A test can make the store,
// and the connection of each process to it, fail in the ways of an engine and a network.
package memstore
