//go:build !unix

package main

import "errors"

var errFreeze = errors.New("this system cannot freeze a process")

func (w *worker) freeze() error { return errFreeze }

func (w *worker) wake() error { return errFreeze }
