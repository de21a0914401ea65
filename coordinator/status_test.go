package coordinator_test

import (
	"testing"

	"github.com/rollcall-go/rollcall/coordinator"
)

func TestCountersPrint(t *testing.T) {
	for want, c := range map[string]coordinator.Counters{
		"nothing happened":                          {},
		"beats 12, leases lost 1, commits failed 3": {Beats: 12, LeasesLost: 1, CommitsFailed: 3},
	} {
		if got := c.String(); got != want {
			t.Errorf("%#v prints %q, want %q", c, got, want)
		}
	}
}
