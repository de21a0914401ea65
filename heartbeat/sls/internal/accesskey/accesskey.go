// Package accesskey says which access keys requests can be signed with, for the client
// and the server alike.
package accesskey

import (
	"errors"
	"strings"
)

// Check reports what is wrong with a key; the token may be empty. Blanks and line ends,
// which come from files and clipboards, are refused rather than cut off: what was copied
// with one of them may have lost another character. The error shows nothing of the key.
func Check(id, secret, token string) error {
	switch {
	case id == "":
		return errors.New("there is no access key id")
	case secret == "":
		return errors.New("there is no access key secret")
	case !plain(id):
		return errors.New("the access key id has a blank, a line end or another character that no header can carry")
	case strings.ContainsAny(id, ",/:"):
		// In the Authorization header it ends at a colon, or at a slash or a comma.
		return errors.New("the access key id has a comma, a slash or a colon, which no Authorization header can carry")
	case !plain(secret):
		return errors.New("the access key secret has a blank, a line end or another character that no key has")
	case !plain(token):
		return errors.New("the security token has a blank, a line end or another character that no header can carry")
	}
	return nil
}

// plain reports whether s is made of visible ASCII characters.
func plain(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}
