package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// commas writes 1234567 as 1,234,567.
func commas(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// count writes "1 line", "2 lines".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return commas(n) + " " + thing + "s"
}

// short writes a pause with three digits at most: 0.42 ms, 2.1 ms, 420 ms, 1.98 s.
func short(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case ms < 1:
		return fmt.Sprintf("%.2f ms", ms)
	case ms < 10:
		return fmt.Sprintf("%.1f ms", ms)
	case ms < 1000:
		return fmt.Sprintf("%.0f ms", ms)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// clock writes a time since the beginning.
func clock(d time.Duration) string { return fmt.Sprintf("%6.2f s", d.Seconds()) }

// bar draws a share of 1, in eighths of a character.
func bar(share float64, width int) string {
	eighths := int(min(max(share, 0), 1)*float64(width*8) + 0.5)
	s := strings.Repeat("█", eighths/8)
	if part := eighths % 8; part > 0 {
		s += string([]rune(" ▏▎▍▌▋▊▉")[part])
	}
	return s + strings.Repeat("·", width-len([]rune(s)))
}

// tail returns the end of s, width bytes at most.
func tail(s string, width int) string {
	if len(s) <= width {
		return s
	}
	return "~" + s[len(s)-width+1:]
}
