package slsserver

import (
	"crypto/hmac"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
)

const v4Algorithm = "SLS4-HMAC-SHA256"

// authenticate verifies the signature of a request, if the server has keys. It runs before the
// server reads the body, so that unknown clients cannot use up memory; verifyBody compares the body
// with the signed hash later. It refuses in the order of the documentation: missing headers, unknown
// key, wrong time, wrong signature. It computes the signature for an unknown key too, so that the
// time does not tell whether a key exists.
func (s *Server) authenticate(c *call) error {
	keys := *s.keys.Load()
	if len(keys) == 0 {
		return nil
	}
	h := c.r.Header
	for name, values := range h {
		if len(values) > 1 && signedName(strings.ToLower(name)) {
			return badParameter("the header %q is repeated", name)
		}
	}
	claim, err := readClaim(h)
	if err != nil {
		return err
	}
	key, known := keys[claim.id]
	if !known {
		key.Secret = heartbeat.NewSecret("no such key")
	}
	verified := false
	if claim.v4 {
		verified, c.isBody = s.verifyV4(c, claim, key.Secret), s.isBodyV4
	} else {
		verified, c.isBody = verifyV1(c, claim, key.Secret), isBodyV1
	}
	token := h.Get("X-Acs-Security-Token")
	rightToken := hmac.Equal([]byte(token), []byte(key.Token.Reveal()))
	now := s.cfg.Clock()
	skew := now.Sub(claim.at).Abs()
	switch {
	case !known:
		return fail(401, "Unauthorized", "the access key is unknown")
	case skew > s.cfg.ClockSkew:
		return fail(400, "RequestTimeExpired", "the request's time differs from the server's by more than %v", s.cfg.ClockSkew)
	case !verified:
		return fail(401, "SignatureNotMatch", "the signature does not match")
	case !rightToken:
		return fail(401, "Unauthorized", "the security token is wrong")
	case !key.Expires.IsZero() && now.After(key.Expires):
		return fail(401, "SecurityTokenExpired", "the security token has expired")
	}
	c.only = key.Projects
	switch c.op {
	case opListProjects, opCreateProject, opDeleteProject: // their handlers call mayUse: a body may name the project
		return nil
	}
	return c.mayUse(c.project)
}

// mayUse refuses a project that the key may not use.
func (c *call) mayUse(project string) error {
	if c.only != nil && !slices.Contains(c.only, project) {
		return fail(401, "Unauthorized", "The project does not belong to you.")
	}
	return nil
}

// verifyBody compares the body with the signed hash.
func (c *call) verifyBody() error {
	if c.isBody != nil && !c.isBody(c.r.Header, c.body) {
		return fail(401, "SignatureNotMatch", "the body is not the one that was signed")
	}
	return nil
}

// signedName reports whether signatures cover a header, whose name is in lower case.
func signedName(name string) bool {
	return strings.HasPrefix(name, "x-log-") || strings.HasPrefix(name, "x-acs-")
}

// claim is the signature of a request, and the values that it was made with.
type claim struct {
	v4        bool
	id        string
	signature string
	date      string // as the client sent it
	at        time.Time
	region    string // V4
	day       string // V4: the day in the credential
}

// readClaim reads the headers that a signature needs.
func readClaim(h http.Header) (claim, error) {
	auth := h.Get("Authorization")
	if auth == "" {
		return claim{}, fail(401, "Unauthorized", "the request is not signed")
	}
	switch h.Get("X-Log-Apiversion") {
	case "0.6.0":
	case "":
		return claim{}, fail(400, "MissingAPIVersion", "x-log-apiversion is missing")
	default:
		return claim{}, fail(400, "InvalidAPIVersion", "x-log-apiversion is not 0.6.0")
	}
	if rest, ok := strings.CutPrefix(auth, v4Algorithm+" "); ok {
		return readV4(h, rest)
	}
	if rest, ok := strings.CutPrefix(auth, "LOG "); ok {
		return readV1(h, rest)
	}
	return claim{}, fail(401, "Unauthorized", "the authorization is of no known kind")
}

// canonicalQuery joins the parameters of a query, sorted by name.
func canonicalQuery(q url.Values, pair func(name, value string) string) string {
	names := make([]string, 0, len(q))
	for name := range q {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		names[i] = pair(name, q.Get(name))
	}
	return strings.Join(names, "&")
}
