package natskv

import "testing"

// A replaced stream is read from its leader only, even if AllowDirect was switched on since
// it was found. Its numbers are above all earlier ones.
func TestReplaceReadsFromTheLeader(t *testing.T) {
	s := open(t, lone(t), Config{})
	at := swapped(t, s, recordOf("a"), 0)
	cfg := boundTo(t, s.records).CachedInfo().Config
	cfg.AllowDirect = true
	made, err := s.records.replace(soon(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if c := made.CachedInfo().Config; c.AllowDirect || c.FirstSeq <= at {
		t.Errorf("after revision %d the stream made anew begins with %d, and AllowDirect is %t", at, c.FirstSeq, c.AllowDirect)
	}
}
