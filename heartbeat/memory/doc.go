// Package memory is the embedded group service: one group and its checkpoints, in this
// process. It is for one worker alone, for several workers in one process, and for tests.
// It keeps all guarantees that a heartbeat.Client can give: see Service.Info.
//
// It has no background goroutine, and needs no Close. Its state ends with the process;
// for checkpoints that outlive the process, give the coordinator a
// processor.FileCheckpoints.
package memory
