package shardset

import (
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// maxName is the longest name of a member or a group, in bytes.
const maxName = 128

// CheckName returns an error if a member or a group cannot have this name. A name has 1 to 128
// bytes of UTF-8, and only printable characters. A service may have a narrower rule. The error
// continues a sentence that begins with the name of a field, as Fault.Reason does.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("is empty")
	case len(name) > maxName:
		return fmt.Errorf("is %.*q..., which is longer than %d bytes", maxName, name, maxName)
	case !utf8.ValidString(name):
		return fmt.Errorf("is %q, which is not UTF-8", name)
	}
	for _, r := range name {
		if !unicode.IsGraphic(r) {
			return fmt.Errorf("is %q; the character %q cannot be printed", name, r)
		}
	}
	return nil
}
