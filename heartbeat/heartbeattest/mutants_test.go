package heartbeattest

import (
	"slices"
	"testing"
)

// Every mutant has to be caught by the cases that it names, and the service without a
// mutation by none.
func TestMutantsAreCaught(t *testing.T) {
	all := map[string]testCase{}
	for _, c := range cases() {
		if _, twice := all[c.name]; twice {
			t.Fatalf("there are two cases %q", c.name)
		}
		all[c.name] = c
	}
	whole := mutant{name: "none"}.config()
	sound := map[string]bool{}
	for _, m := range mutants() {
		cfg := m.config()
		for _, name := range m.by {
			c, ok := all[name]
			if !ok {
				t.Fatalf("mutant %q: there is no case %q", m.name, name)
			}
			if !sound[name] {
				sound[name] = true
				if r := record(t, c, whole); r.failed || r.skipped {
					t.Errorf("%s without a mutation: failed %v, skipped %v: %s", name, r.failed, r.skipped, r.first)
				}
			}
			r := record(t, c, cfg)
			if !r.failed {
				t.Errorf("mutant %q survives %s (skipped: %v)", m.name, name, r.skipped)
			}
			t.Logf("%s: %s: %.200s", m.name, name, r.first)
		}
		if len(m.by) == 0 {
			t.Errorf("mutant %q names no case", m.name)
		}
	}
}

func mutants() []mutant {
	return slices.Concat(leaseMutants(), releaseMutants(), memberMutants(), commitMutants(), answerMutants(), pushMutants(),
		finishMutants(), infoMutants())
}
