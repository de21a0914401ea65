package sls

import (
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"
)

const (
	mockID     = "mockAccessKeyID"
	mockSecret = "mockAccessKeySecret"

	groupURL = "/logstores/my-logstore/consumergroups/my-group"

	// emptySHA256 is the digest of nothing.
	emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// sampleGroup is the log group of the reference, sampleBlock the lz4 block that holds
// it as it is.
var (
	sampleGroup = unhex("0a2308f8b2939e0512160a07546573744b6579120b54657374436f6e74656e742515cd5b071a017422093132372e302e302e3132060a016b120176")
	sampleBlock = append([]byte{0xf0, 0x2c}, sampleGroup...)

	sampleDate = time.Date(2026, time.November, 23, 9, 30, 0, 0, time.UTC)
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// vector is a request with what the official signer makes of it.
type vector struct {
	name, method, path string
	query              []param
	body               []byte
	header             map[string]string
	toSign, want       string // V1: the string to sign; V4: the digest of the canonical request
}

func (v vector) headers() http.Header {
	h := http.Header{headerAPIVersion: {apiVersion}, headerBodyRawSize: {"0"}}
	for name, value := range v.header {
		h[name] = []string{value}
	}
	return h
}

var jsonType = map[string]string{headerContentType: typeJSON}

func TestVectorsV1(t *testing.T) {
	const date = "Mon, 23 Nov 2026 09:30:00 GMT\n"
	const common = "x-log-apiversion:0.6.0\nx-log-bodyrawsize:0\nx-log-signaturemethod:hmac-sha1\n"
	for _, v := range []vector{
		{
			name: "A1", method: "GET", path: "/logstores/my-logstore/shards",
			toSign: "GET\n\n\n" + date + common + "/logstores/my-logstore/shards",
			want:   "Zp3YzNipuDQUeKmuZGmNxzx0AAs=",
		},
		{
			name: "A2", method: "POST", path: groupURL, query: []param{{"consumer", "c1"}, {"type", "heartbeat"}},
			body: []byte("[]"), header: jsonType,
			toSign: "POST\nD751713988987E9331980363E24189CE\napplication/json\n" + date + common + groupURL + "?consumer=c1&type=heartbeat",
			want:   "BPOdTd2ATUkspKgXTpYt2GZk6k8=",
		},
		{
			name: "A3", method: "POST", path: groupURL, query: []param{{"type", "heartbeat"}, {"consumer", "c1"}},
			body: []byte("[0,1]"), header: jsonType,
			toSign: "POST\nCCFCD347D0BF65DC77AFE01A3306A96B\napplication/json\n" + date + common + groupURL + "?consumer=c1&type=heartbeat",
			want:   "EKd3GpP0idoqen2O8zmL39IP9bU=",
		},
		{
			name: "A4", method: "POST", path: groupURL,
			query: []param{{"consumer", "c1"}, {"forceSuccess", "false"}, {"type", "checkpoint"}},
			body:  []byte(`{"checkpoint":"MTUyNDE1NTM3OTM3MzkwODQ5Ng==","shard":0}`), header: jsonType,
			toSign: "POST\n855B0BAAFFC8511BBEE987BBD9D3292E\napplication/json\n" + date + common + groupURL +
				"?consumer=c1&forceSuccess=false&type=checkpoint",
			want: "651ZSVH1yBobRB0msAO9rxDbq0w=",
		},
		{
			name: "A5", method: "GET", path: "/logstores/my-logstore/shards/0",
			query:  []param{{"count", "1000"}, {"cursor", "MTQ0NzMyOTQwMTEwMjEzMDkwNA=="}, {"type", "logs"}},
			header: map[string]string{headerAccept: typeProtobuf, headerAcceptEncoding: "lz4"},
			toSign: "GET\n\n\n" + date + common + "/logstores/my-logstore/shards/0?count=1000&cursor=MTQ0NzMyOTQwMTEwMjEzMDkwNA==&type=logs",
			want:   "pd4cHZizVKAD+Zb5rGOC8GFCw/A=",
		},
		{
			name: "A6", method: "POST", path: groupURL, query: []param{{"consumer", "host a/1+2"}, {"type", "heartbeat"}},
			body: []byte("[0]"), header: map[string]string{headerContentType: typeJSON, headerSecurityToken: "STS.token"},
			toSign: "POST\n8D5162CA104FA7E79FE80FD92BB657FB\napplication/json\n" + date + "x-acs-security-token:STS.token\n" + common +
				groupURL + "?consumer=host a/1+2&type=heartbeat",
			want: "OD17OriFn7JTaXF58IbuD2l7KjU=",
		},
		{
			name: "A7", method: "POST", path: "/logstores/my-logstore/shards/0",
			query: []param{{"action", "split"}, {"key", "80000000000000000000000000000000"}},
			toSign: "POST\n\n\n" + date + common +
				"/logstores/my-logstore/shards/0?action=split&key=80000000000000000000000000000000",
			want: "6TN+4PyYP/Lvtim2UbmPTympEoM=",
		},
		{
			name: "A8", method: "POST", path: "/logstores/my-logstore", body: sampleBlock,
			header: map[string]string{headerContentType: typeProtobuf, headerBodyRawSize: "59", headerCompressType: "lz4"},
			toSign: "POST\n6BA68B7BD5B3368F86712355CD151360\napplication/x-protobuf\n" + date +
				"x-log-apiversion:0.6.0\nx-log-bodyrawsize:59\nx-log-compresstype:lz4\nx-log-signaturemethod:hmac-sha1\n/logstores/my-logstore",
			want: "RT0OzXA4WBN6yvnuOaQCiZqqehc=",
		},
	} {
		t.Run(v.name, func(t *testing.T) {
			h := v.headers()
			prepareV1(h, v.body, sampleDate)
			if got := string(stringToSignV1(v.method, v.path, v.query, h)); got != v.toSign {
				t.Errorf("it signs\n%q\nwant\n%q", got, v.toSign)
			}
			if got, want := signV1(mockID, mockSecret, v.method, v.path, v.query, h), "LOG "+mockID+":"+v.want; got != want {
				t.Errorf("the signature is %q, want %q", got, want)
			}
		})
	}
}

// The official clients' own tests publish these. Their date is no date, so it is set
// by hand.
func TestPublishedVectorsV1(t *testing.T) {
	body := []byte("\x0a\x32\x0a\x1e\x08\xf8\xb2\x93\x9e\x05\x12\x16\x0a\x07TestKey\x12\x0bTestContent\x1a\x00\x22\x0e10.230.201.117")
	for _, v := range []vector{
		{path: "/logstores", want: "Rwm6cTKzoti4HWoe+GKcb6Kv07E="},
		{
			path: "/logstores/app_log", body: body, want: "87xQWqFaOSewqRIma8kPjGYlXHc=",
			header: map[string]string{headerContentType: typeProtobuf, headerBodyRawSize: "50"},
		},
	} {
		h := v.headers()
		prepareV1(h, v.body, sampleDate)
		h[headerDate] = []string{"Mon, 3 Jan 2010 08:33:47 GMT"}
		if got, want := signV1(mockID, mockSecret, "GET", v.path, nil, h), "LOG "+mockID+":"+v.want; got != want {
			t.Errorf("%s: the signature is %q, want %q", v.path, got, want)
		}
	}
}

func TestVectorsV4(t *testing.T) {
	const host = "my-project.cn-hangzhou.log.aliyuncs.com"
	for _, v := range []vector{
		{
			name: "B1", method: "GET", path: "/logstores/my-logstore/shards",
			toSign: "d14bc5f4529d6d8d0a4998861c6cf6f399b79f39fbf4bad6c438d18c5a695f60",
			want:   "5d378638ccb10de02c68b13b5ed501cf72587de0a36c2600e4d742dc55a681ff",
		},
		{
			name: "B2", method: "POST", path: groupURL, query: []param{{"consumer", "c1"}, {"type", "heartbeat"}},
			body: []byte("[]"), header: jsonType,
			toSign: "55707ee911bdbb6d3fe21b34d8a09cf1b9610166d9937e60fbbddce22055a6cc",
			want:   "dd68f35d926bb846ae9c434c638a7c29c43e867985f1e80242630c5c7d7be106",
		},
		{
			name: "B3", method: "POST", path: groupURL, query: []param{{"type", "heartbeat"}, {"consumer", "c1"}},
			body: []byte("[0,1]"), header: jsonType,
			toSign: "c3d9d26cb56650a97b65c5fb70f8ffbb1d5466228f1ef9239ebf4fbb107c0054",
			want:   "fa1fde848c2a194810e5616b974bbcd9b00f96c02c28bd4e7f2ef8f60fbcd826",
		},
		{
			name: "B5", method: "GET", path: "/logstores/my-logstore/shards/0",
			query:  []param{{"count", "1000"}, {"cursor", "MTQ0NzMyOTQwMTEwMjEzMDkwNA=="}, {"type", "logs"}},
			header: map[string]string{headerAccept: typeProtobuf, headerAcceptEncoding: "lz4"},
			toSign: "e019b8015315bf502860c14ce95ddc54870f1cbaa7fb05e60dd235d4ccddb558",
			want:   "f0f06421d642d754ef16ea1759cea4fa90a5996bc3230313be4c18d44ee775d6",
		},
		{
			name: "B6", method: "POST", path: groupURL, query: []param{{"consumer", "host a/1+2"}, {"type", "heartbeat"}},
			body: []byte("[0]"), header: map[string]string{headerContentType: typeJSON, headerSecurityToken: "STS.token"},
			toSign: "575163563237b0074343138265fe70e3da3ac2ab041c76abbda65355fb99a296",
			want:   "bb387d7f33ad4f5a402f339d6c8766c7e069724ab1158a1f2499d7735ddb8dbe",
		},
	} {
		t.Run(v.name, func(t *testing.T) {
			h := v.headers()
			prepareV4(h, v.body, sampleDate)
			if got := hexSHA256(canonicalV4(v.method, host, v.path, v.query, h)); got != v.toSign {
				t.Errorf("the digest of the request is %s, want %s", got, v.toSign)
			}
			got := signV4(mockID, mockSecret, "cn-hangzhou", v.method, host, v.path, v.query, h)
			want := "SLS4-HMAC-SHA256 Credential=" + mockID + "/20261123/cn-hangzhou/sls/aliyun_v4_request,Signature=" + v.want
			if got != want {
				t.Errorf("the signature is\n%s, want\n%s", got, want)
			}
		})
	}
}

func TestCanonicalRequestV4(t *testing.T) {
	const want = "GET\n/logstores/my-logstore/shards\n\nhost:my-project.cn-hangzhou.log.aliyuncs.com\nx-log-apiversion:0.6.0\n" +
		"x-log-bodyrawsize:0\nx-log-content-sha256:" + emptySHA256 + "\nx-log-date:20261123T093000Z\n\n" +
		"host;x-log-apiversion;x-log-bodyrawsize;x-log-content-sha256;x-log-date\n" + emptySHA256
	h := vector{}.headers()
	prepareV4(h, nil, sampleDate)
	h["X-Log-Meta-Name"] = []string{"not signed"}
	h[headerUserAgent] = []string{"not signed"}
	got := string(canonicalV4("GET", "my-project.cn-hangzhou.log.aliyuncs.com", "/logstores/my-logstore/shards", nil, h))
	if got != want {
		t.Errorf("the canonical request is\n%q, want\n%q", got, want)
	}
}

func TestSigningKeyV4(t *testing.T) {
	const want = "d59f64a8e220a92b6d510fb88d9bfbae5ba15e8853d776846ea8a78440fe5fb4"
	if got := hex.EncodeToString(signingKeyV4(mockSecret, "20261123", "cn-hangzhou")); got != want {
		t.Errorf("the signing key is %s, want %s", got, want)
	}
}

func TestPublishedVectorsV4(t *testing.T) {
	odd := map[string]string{
		"hello": "world", "hello-Text": "a12X- ", " Ko ": "", "": "AA", "x-log-test": "het123", "x-acs-ppp": "dds",
	}
	query := []param{{" abc", "efg"}, {" agc ", ""}, {"", "efg"}, {"A-bc", "eFg"}}
	more := append([]param{{"abs-ij*asd/vc", "a~js+d ada"}, {"a abAas123/vc", "a~jdad a2ADFs+d ada"}}, query...)
	const body = "adasd= -asd zcas"
	for i, v := range []struct {
		method, region, path, body string
		query                      []param
		header                     map[string]string
		want                       string
	}{
		{"POST", "cn-hangzhou", "/logstores", body, query, odd, "a98f5632e93836e63839cd836a54055f480020a9364ca944e2d34f2eb9bf1bed"},
		{"POST", "cn-shanghai", "/logstores", body, nil, nil, "8a10a5e723cb2e75964816de660b2c16a58af8bc0261f7f0722d832468c76ce8"},
		{"POST", "cn-hangzhou", "/logstores", "", query, odd, "5a66d8f8051983e0e9d08e0f960ef9252ef971eead5bb5c7acec8617a2eb2701"},
		{"GET", "cn-hangzhou", "/logstores", "", query, odd, "d92741852500791d662a8d469ff61627c0559ecd86c3f59b7bf6772b6c62666a"},
		{
			"POST", "cn-hangzhou", "/logstores/hello/a+*~bb/cc", body, more, odd,
			"2c204068e961a8813a6bcf7ac422f7fa6e9bf9a5da493e0165dfe100854d18ff",
		},
	} {
		h := http.Header{}
		for name, value := range v.header {
			h[name] = []string{value}
		}
		h[headerLogDate] = []string{"20220808T032330Z"}
		h[headerContentSHA256] = []string{hexSHA256([]byte(v.body))}
		got := signV4("acsddda21dsd", "zxasdasdasw2", v.region, v.method, "", v.path, v.query, h)
		if !strings.HasSuffix(got, ",Signature="+v.want) {
			t.Errorf("vector %d: the signature is %s, want %s", i, got, v.want)
		}
	}
}

func TestPercentEncode(t *testing.T) {
	const in, want = `123abc!@#$%^&*()-=_+ ~|\/`, `123abc%21%40%23%24%25%5E%26%2A%28%29-%3D_%2B%20~%7C%5C%2F`
	if got := string(percentEncode(nil, in)); got != want {
		t.Errorf("it encodes %q as %q, want %q", in, got, want)
	}
}
