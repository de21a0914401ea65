package heartbeattest

import "testing"

func TestConfigFaults(t *testing.T) {
	const want = "bad heartbeattest.Config: New is nil; it is required; TTL is 0s; it must be positive"
	if err := (Config{}).check(); err == nil || err.Error() != want {
		t.Errorf("the zero Config: %v, want %s", err, want)
	}
	ok := Config{New: func(testing.TB, Options) Service { return Service{} }, TTL: 1}
	if err := ok.check(); err != nil {
		t.Error(err)
	}
}
