//go:build unix

package main

import "syscall"

// errFreeze is why there are no frozen processes.
var errFreeze error

// freeze stops the worker where it stands; wake lets it go on.
func (w *worker) freeze() error { return w.cmd.Process.Signal(syscall.SIGSTOP) }

func (w *worker) wake() error { return w.cmd.Process.Signal(syscall.SIGCONT) }
