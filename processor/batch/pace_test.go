package batch

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestPauses(t *testing.T) {
	const ms = time.Millisecond
	type read struct {
		after     time.Duration // the one before
		got, more bool
		chance    float64
		want      time.Duration
	}
	for _, c := range []struct {
		name  string
		reads []read
	}{
		{"behind: none", []read{{0, true, true, 0, 0}, {time.Hour, true, true, 1, 0}}},
		{"nothing yet, and more to come: none", []read{{0, false, true, 0, 0}, {time.Minute, false, true, 0, 0}}},
		{"caught up: the shortest", []read{{0, true, false, 0, 100 * ms}, {time.Hour, true, false, 0, 100 * ms}}},
		{"grows with silence, to the longest", []read{
			{0, true, false, 0, 100 * ms},
			{400 * ms, false, false, 0, 100 * ms},
			{400 * ms, false, false, 0, 200 * ms},
			{1200 * ms, false, false, 0, 500 * ms},
			{2000 * ms, false, false, 0, 1000 * ms},
			{time.Hour, false, false, 0, 1000 * ms},
		}},
		{"falls back at once", []read{
			{0, false, false, 0, 100 * ms},
			{time.Hour, false, false, 0, 1000 * ms},
			{time.Second, true, false, 0, 100 * ms},
			{time.Second, false, false, 0, 250 * ms},
		}},
		{"is spread by a tenth", []read{
			{0, true, false, 0.5, 95 * ms},
			{time.Hour, false, false, 1, 900 * ms},
		}},
		{"silence counts while there is more", []read{
			{0, true, true, 0, 0},
			{2 * time.Second, false, true, 0, 0},
			{0, false, false, 0, 500 * ms},
		}},
	} {
		p := pacer{min: defaultMinPause, max: defaultMaxPause}
		now := time.Unix(1e9, 0)
		for i, r := range c.reads {
			now = now.Add(r.after)
			if d := p.next(now, r.got, r.more, r.chance); d != r.want {
				t.Errorf("%s: the pause after read %d is %v, want %v", c.name, i, d, r.want)
			}
		}
	}
}

// However reads come: no pause while there is more, otherwise one within the bounds,
// the shortest after data, and without data never shorter than before but for chance.
func TestPausesStayInBounds(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 3))
		low := time.Duration(1 + rng.Int64N(int64(time.Second)))
		p := pacer{min: low, max: low + time.Duration(rng.Int64N(int64(time.Minute)))}
		now := time.Unix(1e9, 0)
		var last time.Duration
		for range 200 {
			now = now.Add(time.Duration(rng.Int64N(int64(2 * p.max))))
			got, more, chance := rng.IntN(4) == 0, rng.IntN(4) == 0, rng.Float64()
			d := p.next(now, got, more, chance)
			full := time.Duration(float64(d) / (1 - jitter*chance))
			const rounding = 2
			switch {
			case more && d != 0:
				t.Fatalf("seed %d: a pause of %v while there is more", seed, d)
			case more:
			case full < p.min-rounding || d > p.max:
				t.Fatalf("seed %d: a pause of %v is not between %v and %v", seed, d, p.min, p.max)
			case got && full > p.min+rounding:
				t.Fatalf("seed %d: a pause of %v after data, want %v", seed, d, p.min)
			case !got && full < last-rounding:
				t.Fatalf("seed %d: a pause of %v after one of %v, and nothing came", seed, full, last)
			}
			if got {
				last = 0
			}
			if !more {
				last = full
			}
		}
	}
}
