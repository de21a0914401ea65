package slsserver

import (
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestPublishedV1 has the two vectors that the official SDK's own tests publish.
func TestPublishedV1(t *testing.T) {
	const date = "Mon, 3 Jan 2010 08:33:47 GMT"
	body := append([]byte{10, 50, 10, 30, 8, 248, 178, 147, 158, 5, 18, 22, 10, 7}, "TestKey"...)
	body = append(append(body, 18, 11), "TestContent"...)
	body = append(append(body, 26, 0, 34, 14), "10.230.201.117"...)
	for _, v := range []struct {
		path, contentType, sum, size, want string
	}{
		{"/logstores", "", "", "0", "Rwm6cTKzoti4HWoe+GKcb6Kv07E="},
		{"/logstores/app_log", "application/x-protobuf", strings.ToUpper(md5Hex(body)), "50", "87xQWqFaOSewqRIma8kPjGYlXHc="},
	} {
		h := http.Header{}
		h.Set("x-log-apiversion", "0.6.0")
		h.Set("x-log-signaturemethod", "hmac-sha1")
		h.Set("x-log-bodyrawsize", v.size)
		h.Set("Content-Type", v.contentType)
		h.Set("Content-MD5", v.sum)
		if got := hmacSHA1(vectorSecret, stringToSignV1("GET", v.path, date, nil, h, false)); got != v.want {
			t.Errorf("%s: %s, want %s", v.path, got, v.want)
		}
		h.Set("Date", date)
		if _, err := readV1(h, "id:sig"); err != nil {
			t.Errorf("%s: %v", v.path, err)
		}
	}
}

// TestPublishedV4 has the vectors that the official SDK's own tests publish. Their
// headers cannot all travel over HTTP, so they go to the signer itself.
func TestPublishedV4(t *testing.T) {
	const body = "adasd= -asd zcas"
	query := url.Values{" abc": {"efg"}, " agc ": {""}, "": {"efg"}, "A-bc": {"eFg"}}
	headers := map[string]string{
		"hello": "world", "hello-Text": "a12X- ", " Ko ": "", "": "AA", "x-log-test": "het123", "x-acs-ppp": "dds",
	}
	more := url.Values{"abs-ij*asd/vc": {"a~js+d ada"}, "a abAas123/vc": {"a~jdad a2ADFs+d ada"}}
	for name, value := range query {
		more[name] = value
	}
	for _, v := range []struct {
		method, path, region, body string
		query                      url.Values
		headers                    map[string]string
		want                       string
	}{
		{"POST", "/logstores", "cn-hangzhou", body, query, headers, "a98f5632e93836e63839cd836a54055f480020a9364ca944e2d34f2eb9bf1bed"},
		{"POST", "/logstores", "cn-shanghai", body, nil, nil, "8a10a5e723cb2e75964816de660b2c16a58af8bc0261f7f0722d832468c76ce8"},
		{"POST", "/logstores", "cn-hangzhou", "", query, headers, "5a66d8f8051983e0e9d08e0f960ef9252ef971eead5bb5c7acec8617a2eb2701"},
		{"GET", "/logstores", "cn-hangzhou", "", query, headers, "d92741852500791d662a8d469ff61627c0559ecd86c3f59b7bf6772b6c62666a"},
		{"POST", "/logstores/hello/a+*~bb/cc", "cn-hangzhou", body, more, headers, "2c204068e961a8813a6bcf7ac422f7fa6e9bf9a5da493e0165dfe100854d18ff"},
	} {
		cl := claim{date: "20220808T032330Z", day: "20220808", region: v.region}
		for _, host := range []string{"", "-"} { // whether the vectors sign a host is not said
			h := http.Header{"X-Log-Date": {cl.date}, "X-Log-Content-Sha256": {sha256Hex(v.body)}}
			for name, value := range v.headers {
				h[name] = []string{value}
			}
			canonical := canonicalV4(v.method, v.path, host, sha256Hex(v.body), v.query, h)
			if host == "" {
				canonical = strings.Replace(canonical, "host:\n", "", 1)
				canonical = strings.Replace(canonical, "host;", "", 1)
			}
			if got := hex.EncodeToString(signV4("zxasdasdasw2", cl, canonical)); got == v.want {
				v.want = ""
			}
		}
		if v.want != "" {
			t.Errorf("%s %s: no variant gives %s", v.method, v.path, v.want)
		}
	}
}

func TestPercentEncode(t *testing.T) {
	const in, want = `123abc!@#$%^&*()-=_+ ~|\/`, `123abc%21%40%23%24%25%5E%26%2A%28%29-%3D_%2B%20~%7C%5C%2F`
	if got := percentEncode(in); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestV4Keys(t *testing.T) {
	key := []byte("aliyun_v4" + vectorSecret)
	for _, step := range []struct{ part, want string }{
		{"20261123", "16acc69d35a60375a52ec85fb0377d56b639f1f8b0eb9c00e842ef6a6973f3dc"},
		{"cn-hangzhou", "bffd8c54cf8430c9b017bea1de4b35f86f630f51242bf7c9d76a5d980fa39751"},
		{"sls", "70ab7adbbd0384cbe3e52bd87b9c8ef6acfc45463dec8eb6a317138797381abf"},
		{v4Request, "d59f64a8e220a92b6d510fb88d9bfbae5ba15e8853d776846ea8a78440fe5fb4"},
	} {
		if key = hmacSHA256(key, step.part); hex.EncodeToString(key) != step.want {
			t.Errorf("%s: %x, want %s", step.part, key, step.want)
		}
	}
}
