package sls_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain lets several cases of the conformance suite run at once in real time, where
// they do little but wait; but not all of them, which would all start at one moment.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "10"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
