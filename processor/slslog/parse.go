package slslog

// Parse checks a page and returns its log groups in their order. A page is the decompressed body of a
// read. The groups are views into it. If any part of the page is wrong, Parse returns a *DecodeError and
// no groups, so that nothing after missing groups can be committed.
//
// Parse allocates only the result. A log group takes at least two bytes of the page, so the result of a
// hostile page can be fifty times as large as the page.
func Parse(page []byte) ([]Group, error) { return parse(page, unannounced) }

// unannounced is the number of groups of a page without a header.
const unannounced = -1

// parse is Parse with a check: if the page does not have the announced number of groups, it returns an
// error before it allocates memory for them.
func parse(page []byte, announced int) ([]Group, error) {
	n, err := countGroups(page, announced)
	if err != nil {
		return nil, err
	}
	groups := make([]Group, 0, n)
	for i := 0; i < len(page); {
		f, _ := next(page, i)
		if f.number == listGroup {
			g, err := parseGroup(page[f.start:f.end:f.end], f.start)
			if err != nil {
				return nil, err
			}
			groups = append(groups, g)
		}
		i = f.end
	}
	return groups, nil
}

// countGroups checks the outermost fields of the page, and counts its groups.
func countGroups(page []byte, announced int) (n int, err error) {
	for i := 0; i < len(page); {
		f, r := next(page, i)
		if r == 0 && f.number == listGroup {
			if f.wire != wireBytes {
				r = badWireType
			} else if n++; n > announced && announced != unannounced {
				r = tooManyGroups
			}
		}
		if r != 0 {
			return 0, &DecodeError{Offset: i, reason: r}
		}
		i = f.end
	}
	if n < announced {
		return 0, &DecodeError{Offset: len(page), reason: tooFewGroups}
	}
	return n, nil
}

// parseGroup checks a log group that begins at base in the page.
func parseGroup(b []byte, base int) (Group, error) {
	g := Group{body: b}
	for i := 0; i < len(b); {
		if b[i] == tagBytes(groupLog) {
			if start, end, ok := payload(b, i); ok {
				if err := checkLog(b[start:end], base+start, base+i); err != nil {
					return Group{}, err
				}
				g.logs++
				i = end
				continue
			}
		}
		f, r := next(b, i)
		if r == 0 && f.number <= groupTag && f.wire != wireBytes {
			r = badWireType
		}
		if r != 0 {
			return Group{}, &DecodeError{Offset: base + i, reason: r}
		}
		var err error
		switch p := b[f.start:f.end:f.end]; f.number {
		case groupLog:
			err = checkLog(p, base+f.start, base+i)
			g.logs++
		case groupTopic:
			g.topic = p
		case groupSource:
			g.source = p
		case groupTag:
			err = checkPair(p, base+f.start, base+i)
		}
		if err != nil {
			return Group{}, err
		}
		i = f.end
	}
	return g, nil
}

// checkLog checks the log b. base is the offset of the log in the page, and at is the offset of its
// field.
func checkLog(b []byte, base, at int) error {
	hasTime := false
	for i := 0; i < len(b); {
		if b[i] == tagBytes(logContent) {
			if start, end, ok := payload(b, i); ok {
				if _, _, ok := split(b[start:end]); !ok {
					if err := checkPair(b[start:end], base+start, base+i); err != nil {
						return err
					}
				}
				i = end
				continue
			}
		}
		f, r := next(b, i)
		if r == 0 {
			r = logField(f)
		}
		if r != 0 {
			return &DecodeError{Offset: base + i, reason: r}
		}
		if f.number == logTime {
			hasTime = true
		}
		if f.number == logContent {
			if err := checkPair(b[f.start:f.end], base+f.start, base+i); err != nil {
				return err
			}
		}
		i = f.end
	}
	if !hasTime {
		return &DecodeError{Offset: at, reason: noTime}
	}
	return nil
}

// logField returns what is wrong with the form of a field of a log.
func logField(f field) reason {
	want := f.wire
	switch f.number {
	case logTime:
		want = wireVarint
	case logContent:
		want = wireBytes
	case logTimeNs:
		want = wireFixed32
	}
	if f.wire != want {
		return badWireType
	}
	return 0
}

// checkPair checks a content or a tag. base is its offset in the page, and at is the offset of its
// field.
func checkPair(b []byte, base, at int) error {
	var key, value bool
	for i := 0; i < len(b); {
		f, r := next(b, i)
		if r == 0 && f.number <= pairValue && f.wire != wireBytes {
			r = badWireType
		}
		if r != 0 {
			return &DecodeError{Offset: base + i, reason: r}
		}
		key = key || f.number == pairKey
		value = value || f.number == pairValue
		i = f.end
	}
	if !key {
		return &DecodeError{Offset: at, reason: noKey}
	}
	if !value {
		return &DecodeError{Offset: at, reason: noValue}
	}
	return nil
}
