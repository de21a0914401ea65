package natskv

import (
	"fmt"
	"strings"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// hexDigits are the digits of an escaped byte. A name may contain any bytes, and becomes one
// token of a key. In a token, letters, digits, '-', '_' and '/' stand for themselves. Any
// other byte is written as '=' and two upper-case hexadecimal digits. So each token has one
// name, and each name has one token.
const hexDigits = "0123456789ABCDEF"

func plain(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '-' || b == '_' || b == '/'
}

// escape returns the token of a name.
func escape(name string) string {
	var t strings.Builder
	t.Grow(len(name))
	for i := range len(name) {
		if b := name[i]; plain(b) {
			t.WriteByte(b)
		} else {
			t.Write([]byte{'=', hexDigits[b>>4], hexDigits[b&15]})
		}
	}
	return t.String()
}

// unescape returns the name of a token, or false for a token that escape does not return.
func unescape(token string) (string, bool) {
	var name strings.Builder
	name.Grow(len(token))
	for i := 0; i < len(token); i++ {
		b := token[i]
		if b == '=' {
			if i+2 >= len(token) {
				return "", false
			}
			high, low := strings.IndexByte(hexDigits, token[i+1]), strings.IndexByte(hexDigits, token[i+2])
			if high < 0 || low < 0 {
				return "", false
			}
			if b = byte(high<<4 | low); plain(b) {
				return "", false
			}
			i += 2
		} else if !plain(b) {
			return "", false
		}
		name.WriteByte(b)
	}
	return name.String(), name.Len() > 0
}

// The second token of a key, for each kind.
const (
	documentToken   = "doc"
	checkpointToken = "cp"
	recordToken     = "m"
)

// locate returns the bucket and the subject of a key.
func (s *store) locate(k replicated.Key) (*bucket, string, error) {
	switch k.Kind {
	case replicated.KindDocument:
		return s.documents, s.documents.prefix + s.group + "." + documentToken, nil
	case replicated.KindCheckpoint, replicated.KindRecord:
		if k.Name == "" {
			return nil, "", fmt.Errorf("a %s without a name", k.Kind)
		}
		b, subject := s.bucketOf(k.Kind)
		return b, subject + escape(k.Name), nil
	}
	return nil, "", fmt.Errorf("no key is of %s", k.Kind)
}

// bucketOf returns the bucket of the keys of a kind, and the prefix of their subjects. The
// document has one subject and no prefix: see locate.
func (s *store) bucketOf(kind replicated.Kind) (*bucket, string) {
	if kind == replicated.KindRecord {
		return s.records, s.records.prefix + s.group + "." + recordToken + "."
	}
	return s.documents, s.documents.prefix + s.group + "." + checkpointToken + "."
}

// keyOf returns the key of a subject, or false: other programs may write into a bucket too.
func (s *store) keyOf(kind replicated.Kind, subject string) (replicated.Key, bool) {
	k := replicated.Key{Kind: kind}
	if kind == replicated.KindDocument {
		_, own, err := s.locate(k)
		return k, err == nil && own == subject
	}
	_, prefix := s.bucketOf(kind)
	token, ok := strings.CutPrefix(subject, prefix)
	if !ok {
		return k, false
	}
	k.Name, ok = unescape(token)
	return k, ok
}
