// Package accesskey checks whether an access key can sign requests. Packages sls and slsserver use
// it.
package accesskey

import (
	"errors"
	"strings"
)

// Check returns an error if the key cannot sign requests. The token may be empty. Check refuses
// spaces and line ends, which come from files and clipboards. It does not cut them off, because
// such a copy may have lost other characters too. The error shows no part of the key.
func Check(id, secret, token string) error {
	switch {
	case id == "":
		return errors.New("there is no access key id")
	case secret == "":
		return errors.New("there is no access key secret")
	case !plain(id):
		return errors.New("the access key id has a blank, a line end or another character that no header can carry")
	case strings.ContainsAny(id, ",/:"):
		// In the Authorization header, a colon, a slash or a comma ends the id.
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
