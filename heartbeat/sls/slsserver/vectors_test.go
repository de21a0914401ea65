package slsserver

const (
	vectorID     = "mockAccessKeyID"
	vectorSecret = "mockAccessKeySecret"
	v1Date       = "Mon, 23 Nov 2026 09:30:00 GMT"
)

// request is a signed request of the protocol's description.
type request struct {
	name, method, target, body, contentType string
	headers                                 []string
	signature                               string
}

var v1Vectors = []request{
	{name: "A1", method: "GET", target: "/logstores/my-logstore/shards", signature: "Zp3YzNipuDQUeKmuZGmNxzx0AAs="},
	{name: "A2", method: "POST", target: "/logstores/my-logstore/consumergroups/my-group?consumer=c1&type=heartbeat",
		body: "[]", contentType: "application/json", headers: []string{"Content-MD5: D751713988987E9331980363E24189CE"},
		signature: "BPOdTd2ATUkspKgXTpYt2GZk6k8="},
	{name: "A3", method: "POST", target: "/logstores/my-logstore/consumergroups/my-group?consumer=c1&type=heartbeat",
		body: "[0,1]", contentType: "application/json", headers: []string{"Content-MD5: CCFCD347D0BF65DC77AFE01A3306A96B"},
		signature: "EKd3GpP0idoqen2O8zmL39IP9bU="},
	{name: "A4", method: "POST",
		target: "/logstores/my-logstore/consumergroups/my-group?consumer=c1&forceSuccess=false&type=checkpoint",
		body:   `{"checkpoint":"MTUyNDE1NTM3OTM3MzkwODQ5Ng==","shard":0}`, contentType: "application/json",
		headers: []string{"Content-MD5: 855B0BAAFFC8511BBEE987BBD9D3292E"}, signature: "651ZSVH1yBobRB0msAO9rxDbq0w="},
	{name: "A5", method: "GET",
		target:    "/logstores/my-logstore/shards/0?count=1000&cursor=MTQ0NzMyOTQwMTEwMjEzMDkwNA%3D%3D&type=logs",
		headers:   []string{"Accept: application/x-protobuf", "Accept-Encoding: lz4"},
		signature: "pd4cHZizVKAD+Zb5rGOC8GFCw/A="},
	{name: "A6", method: "POST",
		target: "/logstores/my-logstore/consumergroups/my-group?consumer=host+a%2F1%2B2&type=heartbeat", body: "[0]",
		contentType: "application/json",
		headers:     []string{"Content-MD5: 8D5162CA104FA7E79FE80FD92BB657FB", "x-acs-security-token: STS.token"},
		signature:   "OD17OriFn7JTaXF58IbuD2l7KjU="},
	{name: "A7", method: "POST", target: "/logstores/my-logstore/shards/0?action=split&key=80000000000000000000000000000000",
		signature: "6TN+4PyYP/Lvtim2UbmPTympEoM="},
	{name: "A8", method: "POST", target: "/logstores/my-logstore", body: "\xf0\x2c" + string(sample),
		contentType: "application/x-protobuf",
		headers: []string{"Content-MD5: 6BA68B7BD5B3368F86712355CD151360", "x-log-bodyrawsize: 59",
			"x-log-compresstype: lz4"},
		signature: "RT0OzXA4WBN6yvnuOaQCiZqqehc="},
}

const vectorHost = "my-project.cn-hangzhou.log.aliyuncs.com"

var v4Vectors = []request{
	{name: "B1", method: "GET", target: "/logstores/my-logstore/shards",
		signature: "5d378638ccb10de02c68b13b5ed501cf72587de0a36c2600e4d742dc55a681ff",
		headers:   []string{"x-log-content-sha256: " + emptyHash}},
	{name: "B2", method: "POST", target: "/logstores/my-logstore/consumergroups/my-group?consumer=c1&type=heartbeat",
		body: "[]", contentType: "application/json",
		headers:   []string{"x-log-content-sha256: 4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"},
		signature: "dd68f35d926bb846ae9c434c638a7c29c43e867985f1e80242630c5c7d7be106"},
	{name: "B3", method: "POST", target: "/logstores/my-logstore/consumergroups/my-group?consumer=c1&type=heartbeat",
		body: "[0,1]", contentType: "application/json",
		headers:   []string{"x-log-content-sha256: 463f2998327eb3a694145e6014444480b2235be84aa6cfd57871cc64f1cd816c"},
		signature: "fa1fde848c2a194810e5616b974bbcd9b00f96c02c28bd4e7f2ef8f60fbcd826"},
	{name: "B5", method: "GET",
		target:    "/logstores/my-logstore/shards/0?count=1000&cursor=MTQ0NzMyOTQwMTEwMjEzMDkwNA%3D%3D&type=logs",
		headers:   []string{"x-log-content-sha256: " + emptyHash},
		signature: "f0f06421d642d754ef16ea1759cea4fa90a5996bc3230313be4c18d44ee775d6"},
	{name: "B6", method: "POST",
		target: "/logstores/my-logstore/consumergroups/my-group?consumer=host+a%2F1%2B2&type=heartbeat", body: "[0]",
		contentType: "application/json", headers: []string{"x-acs-security-token: STS.token",
			"x-log-content-sha256: d0bca111f8628137adc4c16f123496dcdd1d590d06cb5d9acd68b39fe656fb97"},
		signature: "bb387d7f33ad4f5a402f339d6c8766c7e069724ab1158a1f2499d7735ddb8dbe"},
}
