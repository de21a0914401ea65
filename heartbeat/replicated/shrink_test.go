package replicated_test

import (
	"fmt"
	"testing"
	"time"
)

// A process forgets the members that it served once, whether they left or fell silent, and
// the checkpoints that they had claimed.
func TestForgetsFormerMembers(t *testing.T) {
	bubble(t, func(r *rig) {
		p := r.process()
		a, b := r.process().member("a"), p.member("b")
		r.together(a, b)
		for i := range 50 {
			m := p.member(fmt.Sprintf("c%02d", i))
			m.obey()
			if i%2 == 0 {
				if err := m.leave(); err != nil {
					t.Fatal(err)
				}
			}
			a.obey()
			b.obey()
		}
		for _, g := range b.answer.Grants {
			if _, _, err := p.Load(r.Context(), b.owner(g)); err != nil {
				t.Fatal(err)
			}
		}
		if members, claims := p.Remembered(); members != 51 || claims != len(b.answer.Grants) {
			t.Fatalf("at first it remembers %d members and %d checkpoints", members, claims)
		}
		if err := b.leave(); err != nil {
			t.Fatal(err)
		}
		last := p.member("z")
		for start := time.Now(); time.Since(start) < 6*rigTTL; time.Sleep(rigTTL / 4) {
			a.obey()
			last.obey()
		}
		if members, claims := p.Remembered(); members != 1 || claims != 0 {
			t.Errorf("in the end it remembers %d members and %d checkpoints, want 1 and none", members, claims)
		}
		r.together(a, last)
	})
}
