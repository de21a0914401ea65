package slslog

// The wire types of protobuf.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireStart   = 3
	wireEnd     = 4
	wireFixed32 = 5
)

// The fields of the format, by their message.
const (
	listGroup = 1

	groupLog      = 1
	groupCategory = 2
	groupTopic    = 3
	groupSource   = 4
	groupMachine  = 5
	groupTag      = 6

	logTime    = 1
	logContent = 2 // 3 exists too, and is not documented
	logTimeNs  = 4

	pairKey   = 1 // of a content or a tag
	pairValue = 2
)

const maxFieldNumber = 1<<29 - 1

// tagBytes returns the tag of a length-delimited field. It is one byte, because all field numbers of
// this format are below 16.
func tagBytes(number byte) byte { return number<<3 | wireBytes }

// field is one field of a message b. Its payload is b[start:end], and the next field begins at end.
type field struct {
	number     uint32
	wire       byte
	start, end int
}

// next reads the field at b[i] in any valid encoding. The functions below use it where their faster
// code does not apply.
func next(b []byte, i int) (field, reason) {
	tag, i, r := uvarint(b, i)
	if r != 0 {
		return field{}, r
	}
	if n := tag >> 3; n == 0 || n > maxFieldNumber {
		return field{}, badNumber
	}
	f := field{number: uint32(tag >> 3), wire: byte(tag & 7), start: i}
	size := 0
	switch f.wire {
	case wireVarint:
		_, f.end, r = uvarint(b, i)
		return f, r
	case wireBytes:
		n, start, r := uvarint(b, i)
		if r != 0 {
			return f, r
		}
		if n > uint64(len(b)-start) {
			return f, beyondEnd
		}
		f.start, f.end = start, start+int(n)
		return f, 0
	case wireFixed64:
		size = 8
	case wireFixed32:
		size = 4
	case wireStart, wireEnd:
		return f, groupWireType
	default:
		return f, badWireType
	}
	if size > len(b)-i {
		return f, truncated
	}
	f.end = i + size
	return f, 0
}

// uvarint reads the number at b[i] and returns the index after it.
func uvarint(b []byte, i int) (v uint64, end int, r reason) {
	for shift := uint(0); i < len(b); shift += 7 {
		c := b[i]
		i++
		if shift == 63 && c > 1 {
			return 0, i, longVarint
		}
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return v, i, 0
		}
	}
	return 0, i, truncated
}

// payload returns where the payload of the length-delimited field at b[i] begins and ends. The tag is one
// byte. ok is false if the length takes more than two bytes, which is rare, or is wrong; then use next.
func payload(b []byte, i int) (start, end int, ok bool) {
	i++
	if i >= len(b) {
		return 0, 0, false
	}
	n := int(b[i])
	i++
	if n >= 0x80 {
		if i >= len(b) || b[i] >= 0x80 {
			return 0, 0, false
		}
		n = n&0x7f | int(b[i])<<7
		i++
	}
	return i, i + n, n <= len(b)-i
}

// split divides a content or a tag into key and value, if it has the usual encoding: the length of the
// key takes one byte, the length of the value takes one or two, and there are no other fields.
func split(b []byte) (key, value []byte, ok bool) {
	if len(b) < 4 || b[0] != pairKey<<3|wireBytes {
		return nil, nil, false
	}
	k := 2 + int(b[1])
	if b[1] >= 0x80 || k+1 >= len(b) || b[k] != pairValue<<3|wireBytes {
		return nil, nil, false
	}
	v, n := k+2, int(b[k+1])
	if n >= 0x80 {
		if v >= len(b) || b[v] >= 0x80 {
			return nil, nil, false
		}
		n = n&0x7f | int(b[v])<<7
		v++
	}
	if v+n != len(b) {
		return nil, nil, false
	}
	// The capacity ends with the view, so that an append cannot write to the page.
	return b[2:k:k], b[v:len(b):len(b)], true
}

// splitAny divides a content or a tag in any encoding.
func splitAny(b []byte) (key, value []byte) {
	for i := 0; i < len(b); {
		f, r := next(b, i)
		if r != 0 {
			return key, value
		}
		if f.wire == wireBytes && f.number == pairKey {
			key = b[f.start:f.end:f.end]
		}
		if f.wire == wireBytes && f.number == pairValue {
			value = b[f.start:f.end:f.end]
		}
		i = f.end
	}
	return key, value
}

// pairs calls yield for the contents or tags of a message: its fields with that number.
func pairs(b []byte, number byte, yield func(key, value []byte) bool) {
	for i := 0; i < len(b); {
		p, end, more := nested(b, i, number)
		if !more {
			return
		}
		i = end
		if p == nil {
			continue
		}
		key, value, ok := split(p)
		if !ok {
			key, value = splitAny(p)
		}
		if !yield(key, value) {
			return
		}
	}
}

// nested returns the payload of the field at b[i], and where the next field begins. The payload is nil if
// the field has another number or is not length-delimited. ok is false only if the bytes are not valid
// any more: a view was used too late, and they have changed since the check.
func nested(b []byte, i int, number byte) (p []byte, end int, ok bool) {
	if b[i] == tagBytes(number) {
		if start, end, ok := payload(b, i); ok {
			return b[start:end:end], end, true
		}
	}
	f, r := next(b, i)
	if r != 0 {
		return nil, 0, false
	}
	if f.wire != wireBytes || f.number != uint32(number) {
		return nil, f.end, true
	}
	return b[f.start:f.end:f.end], f.end, true
}
