package slsserver

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// segmentBytes is when a new file is begun. Whole files are deleted when all in them has
// expired.
const segmentBytes = 32 << 20

// segments are the files of one shard. Each is named by its first cursor. The shard's
// lock guards it.
type segments struct {
	dir    string
	sync   bool
	bases  []int64
	active *appendFile
	err    error // after which nothing is written
}

// Each log group is a frame: when it was received, how large it is, and its block.
const entryHeader = 12

func (s *segments) append(cursor int64, e entry) error {
	if s.err != nil {
		return s.err
	}
	if s.active == nil || s.active.size >= segmentBytes {
		if err := s.begin(cursor); err != nil {
			return err
		}
	}
	payload := make([]byte, entryHeader, entryHeader+len(e.data))
	binary.LittleEndian.PutUint64(payload, uint64(e.at))
	binary.LittleEndian.PutUint32(payload[8:], uint32(e.raw))
	payload = append(payload, e.data...)
	return s.active.write(appendFrame(make([]byte, 0, frameHeader+len(payload)), payload))
}

// begin begins a new file.
func (s *segments) begin(cursor int64) error {
	if err := os.MkdirAll(s.dir, directoryMode); err != nil {
		return err
	}
	if s.sync && len(s.bases) == 0 { // else a loss of power may take the directory
		if err := syncDir(filepath.Dir(s.dir)); err != nil {
			return err
		}
	}
	f, err := openAppend(s.name(cursor), 0, s.sync)
	if err != nil {
		return err
	}
	old := s.active
	s.active = f
	s.bases = append(s.bases, cursor)
	if old != nil {
		return old.close()
	}
	return nil
}

func (s *segments) name(base int64) string {
	return filepath.Join(s.dir, fmt.Sprintf(segmentPattern, base))
}

// load reads the files back. The last one may end in a torn frame, which is cut; one in
// the middle may not, because later cursors would mean other log groups.
func (s *segments) load(push func(cursor int64, e entry) error) error {
	files, err := os.ReadDir(s.dir)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, f := range files { // sorted by name, and so by cursor
		digits, ok := strings.CutSuffix(f.Name(), ".seg")
		base, err := strconv.ParseInt(digits, 10, 64)
		if !ok || err != nil {
			return fmt.Errorf("%s: not a file of ours", filepath.Join(s.dir, f.Name()))
		}
		s.bases = append(s.bases, base)
	}
	for i, base := range s.bases {
		data, err := os.ReadFile(s.name(base))
		if err != nil {
			return err
		}
		rest := data
		cursor := base
		for len(rest) > 0 {
			payload, after, ok := cutFrame(rest)
			if !ok {
				break
			}
			e, err := readEntry(payload)
			if err != nil {
				return fmt.Errorf("%s: cursor %d: %w", s.name(base), cursor, err)
			}
			if err := push(cursor, e); err != nil {
				return fmt.Errorf("%s: %w", s.name(base), err)
			}
			cursor++
			rest = after
		}
		last := i == len(s.bases)-1
		if !last && (len(rest) > 0 || cursor != s.bases[i+1]) {
			return fmt.Errorf("%s is damaged after cursor %d, and there are later files", s.name(base), cursor)
		}
		if last {
			s.active, err = openAppend(s.name(base), int64(len(data)-len(rest)), s.sync)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func readEntry(payload []byte) (entry, error) {
	if len(payload) < entryHeader {
		return entry{}, errNotLZ4
	}
	at := int64(binary.LittleEndian.Uint64(payload))
	raw := int(binary.LittleEndian.Uint32(payload[8:]))
	data := append([]byte(nil), payload[entryHeader:]...)
	b, err := readBlock(data, raw)
	return entry{block: b, at: at}, err
}

// trim deletes the files whose log groups are all before begin. The newest one stays: it
// says what the next cursor is.
func (s *segments) trim(begin int64) {
	for len(s.bases) > 1 && s.bases[1] <= begin {
		if os.Remove(s.name(s.bases[0])) != nil {
			return // the next sweep tries again
		}
		s.bases = s.bases[1:]
	}
}

// remove deletes everything.
func (s *segments) remove() {
	_ = s.close()
	_ = os.RemoveAll(s.dir)
}

// close ends the writing; later writes fail.
func (s *segments) close() error {
	s.err = os.ErrClosed
	if s.active == nil {
		return nil
	}
	f := s.active
	s.active = nil
	return f.close()
}
