// Package memstore is a replicated.Store in memory, for tests. A test can make the store fail like
// a database, and the connection of each process fail like a network.
package memstore
