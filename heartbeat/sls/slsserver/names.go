package slsserver

const (
	maxName  = 128
	nameRule = "1 to 128 letters, digits, '.', '-' and '_' after a letter or digit"
)

// validName checks the name of a project, logstore, group or stored query. A valid name needs no
// escape in a path. Names of consumers follow shardset.CheckName instead.
func validName(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && (i == 0 || c != '.' && c != '-' && c != '_') {
			return false
		}
	}
	return true
}
