package slsserver

import (
	"bytes"
	"compress/zlib"
	"io"
	"strconv"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

func (s *Server) put(c *call) error {
	ls, err := c.logstoreOf(s)
	if err != nil {
		return err
	}
	b, err := s.groupOfBody(c)
	if err != nil {
		return err
	}
	pick := ls.forAny
	if c.routed {
		k, ok := parseKey(c.key)
		if !ok {
			return badParameter("the hash key is not 32 hexadecimal digits")
		}
		pick = func() *shard { return ls.forKey(k) }
	}
	for {
		sh := pick()
		if sh == nil {
			if _, err := c.logstoreOf(s); err != nil {
				return err // the logstore was deleted meanwhile
			}
			return fail(400, "LogStoreWithoutShard", "no shard takes the log group")
		}
		taken, err := sh.append(b, s.cfg.Clock(), s.cfg.RetentionBytes)
		if err != nil {
			return err
		}
		if taken {
			return c.reply("", nil)
		}
		// The shard was split or merged after pick: take another one.
	}
}

// groupOfBody decompresses and checks the log group in a request's body.
func (s *Server) groupOfBody(c *call) (block, error) {
	if err := c.mediaType("application/x-protobuf"); err != nil {
		return block{}, err
	}
	raw, err := s.rawSize(c)
	if err != nil {
		return block{}, err
	}
	kind := c.r.Header.Get("X-Log-Compresstype")
	if err := checkSizes(kind, int64(len(c.body)), int64(raw)); err != nil {
		return block{}, err // before takeBuffer allocates
	}
	buf := takeBuffer(raw)
	defer giveBuffer(buf)
	if err := decompress(*buf, c.body, kind); err != nil {
		return block{}, err
	}
	var now time.Time
	if s.cfg.CheckLogTime {
		now = s.cfg.Clock()
	}
	if err := checkGroup(*buf, now); err != nil {
		return block{}, err
	}
	if kind == "lz4" { // keep the block as it is, if joinBlocks can use it
		if b, err := readBlock(clipped(c.body), raw); err == nil {
			return b, nil
		}
	}
	return newBlock(*buf)
}

// rawSize reads the size of the log group, which the compressed formats do not carry.
func (s *Server) rawSize(c *call) (int, error) {
	text := c.r.Header.Get("X-Log-Bodyrawsize")
	if text == "" {
		return 0, fail(400, "MissingBodyRawSize", "x-log-bodyrawsize is missing")
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil || n < 0:
		return 0, fail(400, "InvalidBodyRawSize", "x-log-bodyrawsize is %q", text)
	case n > int64(s.cfg.MaxPutBytes):
		return 0, fail(413, "PostBodyTooLarge", "the log group is larger than %d bytes", s.cfg.MaxPutBytes)
	}
	return int(n), nil
}

var errDamaged = fail(400, "PostBodyUncompressError", "the body does not decompress to x-log-bodyrawsize bytes")

// checkSizes refuses a body of n bytes if it cannot decompress to raw bytes. One byte becomes at
// most 255 bytes with lz4, and 1032 with deflate. Four bytes become at most 128 KiB with zstd.
func checkSizes(kind string, n, raw int64) error {
	most := int64(0)
	switch kind {
	case "":
		if n != raw {
			return fail(400, "InvalidBodyRawSize", "x-log-bodyrawsize is %d, the body has %d bytes", raw, n)
		}
		return nil
	case "lz4":
		most = 255 * n
	case "deflate":
		most = 1032 * n
	case "zstd":
		most = n / 4 << 17
	default:
		return fail(400, "InvalidCompressType", "x-log-compresstype is %q", kind)
	}
	if raw > most {
		return errDamaged
	}
	return nil
}

// decompress decompresses the body into raw, which it must fill exactly. The body cannot make it
// allocate more.
func decompress(raw, body []byte, kind string) error {
	switch kind {
	case "":
		copy(raw, body)
	case "lz4":
		if n, err := lz4.UncompressBlock(body, raw); err != nil || n != len(raw) {
			return errDamaged
		}
	case "zstd":
		// DecodeAll does not write beyond the capacity of raw. A decoder that reads a stream would
		// allocate the window size that the frame names.
		if out, err := zstdReader.DecodeAll(body, raw[:0:len(raw)]); err != nil || len(out) != len(raw) {
			return errDamaged
		}
	case "deflate":
		return inflate(raw, body)
	}
	return nil
}

var zstdReader, _ = zstd.NewReader(nil, zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderLowmem(true))

// inflate decompresses the body into raw. It refuses a body that does not end exactly there.
func inflate(raw, body []byte) error {
	r, err := zlib.NewReader(bytes.NewReader(body))
	if err != nil {
		return errDamaged
	}
	if _, err := io.ReadFull(r, raw); err != nil {
		return errDamaged
	}
	var more [1]byte
	if n, err := io.ReadFull(r, more[:]); n != 0 || err != io.EOF {
		return errDamaged
	}
	return nil
}
