package alloctest

import "testing"

var sink []byte

func TestBytes(t *testing.T) {
	if n := Bytes(func() { sink = make([]byte, 1<<20) }); n < 1<<20 || n > 1<<20+64<<10 {
		t.Errorf("a slice of 1 MiB allocates %d bytes", n)
	}
	once := false
	if n := Bytes(func() {
		if !once {
			once, sink = true, make([]byte, 1<<20)
		}
	}); n > 64<<10 {
		t.Errorf("what is allocated once counts: %d bytes", n)
	}
}
