package accesskey

import (
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	for _, c := range []struct{ id, secret, token, names string }{
		{"LTAI5tAbc", "aB3/+=:,~", "", ""},
		{"STS.NTxyz-_", "s", "CAIS+/=:,", ""},
		{"", "s", "", "no access key id"},
		{"i", "", "", "no access key secret"},
		{"i", "", "t", "no access key secret"},
		{"a,b", "s", "", "access key id"},
		{"a/b", "s", "", "access key id"},
		{"a:b", "s", "", "access key id"},
	} {
		expect(t, c.id, c.secret, c.token, c.names)
	}
	for _, odd := range []string{" ", "\t", "\n", "\r\n", "\x00", "\x7f", "\u00a0", "\ufeff", "é", "\xff", "\u2028"} {
		for _, s := range []string{odd + "x", "x" + odd, "x" + odd + "y"} {
			expect(t, s, "s", "t", "access key id")
			expect(t, "i", s, "t", "access key secret")
			expect(t, "i", "s", s, "security token")
		}
		expect(t, "i", "s", odd, "security token")
	}
}

// expect checks a key that is wrong in what names says, or right if that is empty.
func expect(t *testing.T, id, secret, token, names string) {
	t.Helper()
	err := Check(id, secret, token)
	if (err != nil) != (names != "") || err != nil && !strings.Contains(err.Error(), names) {
		t.Errorf("Check(%q, %q, %q) = %v, want %q", id, secret, token, err, names)
	}
}
