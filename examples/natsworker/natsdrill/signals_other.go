//go:build !unix

package main

import (
	"errors"
	"os"
)

var errFreeze = errors.New("this system cannot freeze a process")

func freeze(*os.Process) error { return errFreeze }

func wake(*os.Process) error { return errFreeze }
