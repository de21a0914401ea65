package main

import (
	"bytes"
	"crypto/md5" //nolint:gosec // the service's own way to spread keys, and no secret
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/processor/slslog"
)

// record is a log to be.
type record struct {
	at       time.Time
	contents []slslog.Content
	size     int // about what it takes in a group
	route    route
}

// route is what the logs of one group have in common.
type route struct {
	bucket        string // the first digits of the hash key; empty: any shard
	topic, source string
	tags          string // JSON: a list of keys and values
}

// record makes the log of a line.
func (o *options) record(l line, now time.Time) (record, error) {
	r := record{at: now, route: route{topic: o.topic, source: o.source}}
	if !o.json {
		r.contents = []slslog.Content{{Key: o.key, Value: l.text}}
	} else if err := r.decode(l.text); err != nil {
		return r, l.wrong(err)
	}
	switch o.hash {
	case hashLine:
		r.route.bucket = bucket(l.text)
	case hashField:
		value, _ := find(r.contents, o.key) // those without it belong together
		r.route.bucket = bucket(value)
	}
	r.size = 32
	if o.stamp {
		r.size += 48
	}
	for _, c := range r.contents {
		if !validKey(c.Key) {
			return r, l.wrong(fmt.Errorf("a key of %d bytes; it must have 1 to %d", len(c.Key), slslog.MaxKeyBytes))
		}
		r.size += 16 + len(c.Key) + len(c.Value)
	}
	if r.size > slslog.MaxLogBytes {
		return r, l.wrong(fmt.Errorf("the log is larger than %d bytes", slslog.MaxLogBytes))
	}
	if seconds := r.at.Unix(); seconds < 0 || seconds > math.MaxUint32 {
		return r, l.wrong(slslog.ErrLogTime)
	}
	return r, nil
}

func find(contents []slslog.Content, key string) ([]byte, bool) {
	for _, c := range contents {
		if c.Key == key {
			return c.Value, true
		}
	}
	return nil, false
}

// bucketDigits divides the hash keys into 256 buckets, and the logs of a bucket share
// groups: a group for each key would be a request for each line. All logs with the same
// value are in one bucket, and a bucket is in one shard, so they stay in order.
const bucketDigits = 2

func bucket(value []byte) string {
	sum := md5.Sum(value) //nolint:gosec // see above
	return hex.EncodeToString(sum[:])[:bucketDigits]
}

// hashKey is the least key of a bucket.
func hashKey(bucket string) string {
	if bucket == "" {
		return ""
	}
	return bucket + strings.Repeat("0", 32-len(bucket))
}

// decode makes contents of the members of a JSON object, in their order. Strings are
// taken without quotes, everything else as it is written.
func (r *record) decode(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if first, err := d.Token(); err != nil || first != json.Delim('{') {
		return errors.New("the line is not a JSON object")
	}
	var tags []string
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return err
		}
		value := string(raw)
		if raw[0] == '"' {
			if err := json.Unmarshal(raw, &value); err != nil {
				return err
			}
		}
		key, _ := token.(string)
		tag, isTag := strings.CutPrefix(key, "__tag__:")
		switch {
		case key == "__time__":
			if r.at, err = parseTime(value); err != nil {
				return err
			}
		case key == "__topic__":
			r.route.topic = value
		case key == "__source__":
			r.route.source = value
		case isTag && validKey(tag):
			tags = append(tags, tag, value)
		default:
			r.contents = append(r.contents, slslog.Content{Key: key, Value: []byte(value)})
		}
	}
	if _, err := d.Token(); err != nil { // the brace
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something behind the JSON object")
	}
	if len(tags) > 0 {
		all, err := json.Marshal(tags)
		if err != nil {
			return err
		}
		r.route.tags = string(all)
	}
	if len(r.route.topic) > maxName || len(r.route.source) > maxName || len(r.route.tags) > 64*maxName {
		return errors.New("its topic, its source or its tags are too long")
	}
	return nil
}

// parseTime reads Unix seconds, with a fraction or without, or RFC 3339.
func parseTime(s string) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return at, nil
	}
	whole, fraction, _ := strings.Cut(s, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err == nil && len(fraction) > 9 {
		fraction = fraction[:9]
	}
	nanos := uint64(0)
	if err == nil && fraction != "" {
		nanos, err = strconv.ParseUint(fraction+strings.Repeat("0", 9-len(fraction)), 10, 32)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("its __time__ %q is neither Unix seconds nor RFC 3339", s)
	}
	return time.Unix(seconds, int64(nanos)), nil
}
