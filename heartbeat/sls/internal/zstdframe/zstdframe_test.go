package zstdframe

import (
	"bytes"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// TestEncode: every frame tells its size and comes back as it was.
func TestEncode(t *testing.T) {
	d, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, n := range []int{1, small - 1, small, small + 1, 1 << 20} {
		raw := bytes.Repeat([]byte{'x'}, n)
		frame := Encode(raw)
		var h zstd.Header
		if err := h.Decode(frame); err != nil || !h.HasFCS || h.FrameContentSize != uint64(n) {
			t.Errorf("the frame of %d bytes says %d (%v), %v", n, h.FrameContentSize, h.HasFCS, err)
		}
		if got, err := d.DecodeAll(frame, nil); err != nil || !bytes.Equal(got, raw) {
			t.Errorf("the frame of %d bytes has %d, %v", n, len(got), err)
		}
	}
}
