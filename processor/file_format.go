package processor

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/rollcall-go/rollcall/shardset"
)

// A checkpoint file has four lines, and then the position up to the end of the file:
//
//	rollcall checkpoint 1
//	crc32c 4b8d45b5
//	shard orders/7
//	position 9
//	MTYzNjk5N
//
// The checksum covers everything after its line. The length detects a truncated file, which a
// checksum alone may miss.
const checkpointVersion = "rollcall checkpoint 1\n"

const (
	maxPosition = 64 << 10            // bytes
	maxFile     = maxPosition + 1<<10 // bytes; the lines before the position take under 300
	namePrefix  = "shard-"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// corruptError is the error for a file that no Save has written: truncated, changed, or in the
// wrong place. The store does not change the file.
type corruptError struct {
	path   string
	reason string
}

func (e *corruptError) Error() string {
	return fmt.Sprintf("checkpoint file %q is damaged: %s; restore it from a copy, or delete it to process the shard as if nothing was ever committed, then restart the worker",
		e.path, e.reason)
}

// readCheckpoint returns the position in the file, or false if there is no file.
func readCheckpoint(path string, id shardset.ID) (Position, bool, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("read the checkpoint of shard %s: %w", id, err)
	}
	// Check before the read: a pipe would block it, and a huge file would fill the memory.
	if !info.Mode().IsRegular() {
		return "", false, &corruptError{path: path, reason: "it is not a regular file"}
	}
	if info.Size() > maxFile {
		return "", false, &corruptError{path: path, reason: fmt.Sprintf("its size of %d bytes is more than the maximum of %d", info.Size(), maxFile)}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", false, fmt.Errorf("read the checkpoint of shard %s: %w", id, err)
	}
	named, p, err := decodeCheckpoint(data)
	if err != nil {
		return "", false, &corruptError{path: path, reason: err.Error()}
	}
	if named != id {
		return "", false, &corruptError{path: path, reason: fmt.Sprintf("it is the checkpoint of shard %s, not of %s", named, id)}
	}
	return p, true, nil
}

// encodeCheckpoint returns the content of the file.
func encodeCheckpoint(id shardset.ID, p Position) []byte {
	body := fmt.Sprintf("shard %s\nposition %d\n%s", id, len(p), p)
	return []byte(checkpointVersion + sumLine(body) + "\n" + body)
}

// decodeCheckpoint returns the shard and its position, or what is wrong with the content.
func decodeCheckpoint(data []byte) (shardset.ID, Position, error) {
	rest, ok := strings.CutPrefix(string(data), checkpointVersion)
	if !ok {
		return shardset.ID{}, "", fmt.Errorf("it does not begin with the line %q", strings.TrimSpace(checkpointVersion))
	}
	sum, body, _ := strings.Cut(rest, "\n")
	if sum != sumLine(body) {
		return shardset.ID{}, "", errors.New("its checksum does not match, so it was truncated or changed")
	}
	shard, rest, _ := strings.Cut(body, "\n")
	_, position, _ := strings.Cut(rest, "\n")
	id, err := shardset.ParseID(strings.TrimPrefix(shard, "shard "))
	if err != nil {
		return shardset.ID{}, "", err
	}
	p := Position(position)
	if p == "" || len(p) > maxPosition {
		return shardset.ID{}, "", fmt.Errorf("its position has %d bytes", len(p))
	}
	// The checksum may be right although no Save wrote this content: compare all of it.
	if !bytes.Equal(data, encodeCheckpoint(id, p)) {
		return shardset.ID{}, "", errors.New("its lines do not fit each other")
	}
	return id, p, nil
}

func sumLine(body string) string {
	return fmt.Sprintf("crc32c %08x", crc32.Checksum([]byte(body), castagnoli))
}

// fileName returns the name of the shard's file: "shard-orders@7", or "shard-7" for the
// unnamed log. Two shards never share a name, even if the file system ignores case: fileName
// writes the name of the log in lower case and appends a mask of its capitals. The mask has one
// hex digit for every four bytes, a set bit for each capital, and no zeros at the end: "Orders"
// becomes "orders+8". A file name has at most 187 bytes. An escape for each capital could double
// the length, which would be too long for file systems.
//
// The prefix is needed for Windows, where the names "con.1" and "nul" mean devices.
func fileName(id shardset.ID) string {
	if id.Log == "" {
		return namePrefix + strconv.Itoa(id.Number)
	}
	name := strings.ToLower(id.Log)
	if mask := capitals(id.Log); mask != "" {
		name += "+" + mask
	}
	return namePrefix + name + "@" + strconv.Itoa(id.Number)
}

func capitals(name string) string {
	nibbles := make([]byte, (len(name)+3)/4)
	for i := range len(name) {
		if 'A' <= name[i] && name[i] <= 'Z' {
			nibbles[i/4] |= 8 >> (i % 4)
		}
	}
	for i, n := range nibbles {
		nibbles[i] = "0123456789abcdef"[n]
	}
	return strings.TrimRight(string(nibbles), "0")
}
