package slsserver

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestGroups(t *testing.T) {
	r := newRig(t, Config{MaxGroups: 2})
	const path = "/logstores/ls/consumergroups"
	r.want(r.do("GET", path, ""), 200, "[]")
	r.createGroup(60, false)
	r.wantCode(r.do("POST", path, `{"consumerGroup":"g","timeout":60,"order":true}`), 400, "ConsumerGroupAlreadyExist")
	r.want(r.do("POST", path, `{"order":true,"timeout":5,"consumerGroup":"another.1-x_y","more":1}`), 200, "")
	r.wantCode(r.do("POST", path, `{"consumerGroup":"third","timeout":60,"order":true}`), 403, "ConsumerGroupQuotaExceed")
	r.want(r.do("GET", path, ""), 200, `[{"name":"another.1-x_y","timeout":5,"order":true},{"name":"g","timeout":60,"order":false}]`)
	r.want(r.do("PUT", groupPath, `{"order":true}`), 200, "")
	r.want(r.do("PUT", groupPath, `{"timeout":7}`), 200, "")
	r.want(r.do("PUT", groupPath, `{}`), 200, "")
	r.want(r.do("DELETE", path+"/another.1-x_y", ""), 200, "")
	r.want(r.do("GET", path, ""), 200, `[{"name":"g","timeout":7,"order":true}]`)
	r.want(r.do("DELETE", groupPath, ""), 200, "")
	for _, a := range []answer{
		r.do("DELETE", groupPath, ""), r.do("PUT", groupPath, `{"order":true}`), r.do("GET", groupPath, ""), r.beat("c", "[]"),
		r.commit("c", 0, "MTIz", false),
	} {
		r.wantCode(a, 404, "ConsumerGroupNotExist")
	}
}

func TestGroupBodies(t *testing.T) {
	r := newRig(t, Config{})
	const path = "/logstores/ls/consumergroups"
	for _, body := range []string{
		`{}`, `[]`, `null`, `"x"`, `{`, `{"consumerGroup":"g"}`, `{"consumerGroup":"g","timeout":"60","order":true}`,
		`{"consumerGroup":"g","timeout":1.5,"order":true}`, `{"consumerGroup":"g","timeout":60,"order":1}`,
		`{"consumerGroup":"g","timeout":60,"order":true}{}`, `{"consumerGroup":"g","timeout":60,"timeout":60,"order":true}`,
		`{"consumerGroup":"g","timeout":0,"order":true}`, `{"consumerGroup":"g","timeout":86401,"order":true}`,
		`{"ConsumerGroup":"g","timeout":60,"order":true}`, `{"consumerGroup":["g"],"timeout":60,"order":true}`,
		strings.Repeat("[", 40_000), `{"consumerGroup":"g","timeout":1e2,"order":true}`,
	} {
		r.wantCode(r.do("POST", path, body), 400, "JsonInfoInvalid")
	}
	for _, name := range []string{"", "-a", "a/b", "..", "a b", strings.Repeat("a", 129), "é"} {
		r.wantCode(r.do("POST", path, fmt.Sprintf(`{"consumerGroup":%q,"timeout":60,"order":true}`, name)), 400, "ParameterInvalid")
	}
	for _, body := range []string{`{"timeout":5.0}`, `{"timeout":5.000}`, `{"timeout":86400.0}`} { // Python's, from a float interval
		create := strings.Replace(body, "{", `{"consumerGroup":"g","order":true,`, 1)
		r.want(r.do("POST", path, create), 200, "")
		r.want(r.do("PUT", groupPath, body), 200, "")
		r.want(r.do("DELETE", groupPath, ""), 200, "")
	}
	r.createGroup(60, true)
	for _, value := range []string{"5.5", "0.0", "0.5", "86400.5", "86401.0", "5e0", "-5.0"} {
		a := r.do("POST", path, `{"consumerGroup":"h","order":true,"timeout":`+value+`}`)
		b := r.do("PUT", groupPath, `{"timeout":`+value+`}`)
		for _, a := range []answer{a, b} {
			if r.wantCode(a, 400, "JsonInfoInvalid"); !strings.Contains(a.body, value+" is not a whole number of seconds between 1 and 86400") {
				t.Errorf("%s: %s", value, a.body)
			}
		}
	}
	r.want(r.do("GET", path, ""), 200, `[{"name":"g","timeout":60,"order":true}]`)
	r.want(r.do("DELETE", groupPath, ""), 200, "")
	r.wantCode(r.do("POST", path, `{}`, "Content-Type: text/plain"), 415, "InvalidContentType")
	r.wantCode(r.do("POST", path, `{}`, "Accept: */*"), 400, "MissingContentType")
	r.createGroup(60, true)
	for _, body := range []string{`{"timeout":null}`, `{"timeout":-1}`, `{"order":"true"}`, `[]`, ``} {
		r.wantCode(r.do("PUT", groupPath, body, "Content-Type: application/json"), 400, "JsonInfoInvalid")
	}
	for _, body := range []string{
		"", "null", "{}", `["0"]`, "[0,]", "[,]", "[0", "[0]x", "[0][1]", "[-1]", "[01]", "[1.5]", "[2147483648]", `{"shards":[0]}`,
		"[99999999999999999999999]",
	} {
		a := r.do("POST", groupPath+"?consumer=c&type=heartbeat", body, "Content-Type: application/json")
		r.wantCode(a, 400, "JsonInfoInvalid")
	}
	r.want(r.beat("c", " [ ] \r\n"), 200, "[0,1]")
}

// TestHeartbeats is the contract of one heartbeat, and the choices of doc.go.
func TestHeartbeats(t *testing.T) {
	r := newRig(t, Config{})
	r.createGroup(60, false)
	r.wantCode(r.beat("c1", "[0]"), 400, "NotExistConsumerWithBody")
	r.wantCode(r.beat("c1", "[0]"), 400, "NotExistConsumerWithBody") // it has not joined by that
	r.want(r.beat("c1", "[]"), 200, "[0,1]")
	r.want(r.beat("c1", "[]"), 200, "[0,1]")        // a restart: its shards are its own
	r.want(r.beat("c1", "[1,0]"), 200, "[0,1]")     // in any order
	r.want(r.beat("c1", "[0,1,1,9]"), 200, "[0,1]") // what does not exist is ignored
	r.want(r.beat("c2", "[]"), 200, "[]")           // shard 1 is promised to it
	r.want(r.beat("c1", "[0,1]"), 200, "[0]")
	r.want(r.beat("c2", "[]"), 200, "[]")
	r.want(r.beat("c2", "[0]"), 200, "[]") // another's shard is ignored
	r.want(r.beat("c1", "[0,1]"), 200, "[0]")
	r.want(r.beat("c1", "[0]"), 200, "[0]") // released
	r.want(r.beat("c2", "[]"), 200, "[1]")
	r.want(r.beat("c3", "[]"), 200, "[]") // one more than there are shards
	r.want(r.beat("host+a%2F1%2B2", "[]"), 200, "[]")
	for _, name := range []string{"", "%00", "%0a", "%ff", strings.Repeat("x", 129)} {
		r.wantCode(r.beat(name, "[]"), 400, "ParameterInvalid")
	}
}

func TestMaxConsumers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{MaxConsumers: 2})
		r.createGroup(10, false)
		r.want(r.beat("c1", "[]"), 200, "[0,1]")
		r.want(r.beat("c2", "[]"), 200, "[]")
		r.wantCode(r.beat("c3", "[]"), 403, "ConsumerGroupQuotaExceed")
		time.Sleep(9 * time.Second)
		r.want(r.beat("c1", "[0,1]"), 200, "[0]")
		time.Sleep(time.Second)
		r.want(r.beat("c3", "[]"), 200, "[]")
		_ = r.Close()
	})
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		r.createGroup(10, false)
		r.want(r.beat("c1", "[]"), 200, "[0,1]")
		r.want(r.beat("c2", "[]"), 200, "[]")
		time.Sleep(10*time.Second - 1)
		r.want(r.beat("c2", "[]"), 200, "[]")
		time.Sleep(time.Nanosecond) // c1's lease has ended, and the timer has run
		synctest.Wait()
		st, err := r.Group("p", "ls", "g")
		if err != nil || len(st.Members) != 1 || st.Members[0].Held != 2 {
			t.Errorf("%+v, %v", st, err)
		}
		r.wantCode(r.beat("c1", "[0,1]"), 400, "NotExistConsumerWithBody")
		r.want(r.beat("c2", "[]"), 200, "[0,1]")
		r.want(r.beat("c1", "[]"), 200, "[]")
		r.want(r.beat("c2", "[0,1]"), 200, "[0]")
		time.Sleep(9 * time.Second)
		r.want(r.beat("c1", "[]"), 200, "[]")
		time.Sleep(time.Second) // the holder in transfer is gone: the shard is free
		r.want(r.beat("c1", "[]"), 200, "[0,1]")
		_ = r.Close()
	})
}

// TestNextIsGone: the next consumer times out before the holder has released, so the
// holder keeps the shard.
func TestNextIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		r.createGroup(10, false)
		r.want(r.beat("c1", "[]"), 200, "[0,1]")
		r.want(r.beat("c2", "[]"), 200, "[]")
		time.Sleep(5 * time.Second)
		r.want(r.beat("c1", "[0,1]"), 200, "[0]")
		time.Sleep(5 * time.Second)
		r.want(r.beat("c1", "[0,1]"), 200, "[0,1]")
		_ = r.Close()
	})
}

// TestTimeoutChange: a new timeout counts from the last heartbeat.
func TestTimeoutChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		r.createGroup(10, false)
		r.want(r.beat("c1", "[]"), 200, "[0,1]")
		time.Sleep(2 * time.Second)
		r.want(r.beat("c2", "[]"), 200, "[]")
		r.want(r.do("PUT", groupPath, `{"timeout":30}`), 200, "")
		time.Sleep(27 * time.Second) // 29 s after c1's heartbeat
		r.want(r.beat("c1", "[0,1]"), 200, "[0]")
		r.want(r.beat("c1", "[0]"), 200, "[0]")
		r.want(r.beat("c2", "[]"), 200, "[1]")
		r.want(r.do("PUT", groupPath, `{"timeout":5}`), 200, "")
		r.want(r.beat("c2", "[1]"), 200, "[1]")
		time.Sleep(4 * time.Second)
		r.want(r.do("PUT", groupPath, `{"timeout":3}`), 200, "") // both are over it
		r.wantCode(r.beat("c2", "[1]"), 400, "NotExistConsumerWithBody")
		r.want(r.beat("c1", "[]"), 200, "[0,1]")
		_ = r.Close()
	})
}

// TestTimeoutChangeCountsAtOnce: each consumer expires a new timeout after its own last heartbeat,
// neither after the change nor when all have seen it.
func TestTimeoutChangeCountsAtOnce(t *testing.T) {
	for _, seconds := range []int{5, 30} { // it was 10
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Config{})
			r.createGroup(10, false)
			r.want(r.beat("c1", "[]"), 200, "[0,1]")
			time.Sleep(time.Second)
			r.want(r.beat("c2", "[]"), 200, "[]")
			time.Sleep(time.Second)
			r.want(r.do("PUT", groupPath, fmt.Sprintf(`{"timeout":%d}`, seconds)), 200, "")
			time.Sleep(time.Duration(seconds-2)*time.Second - 1)
			for _, members := range []int{2, 1, 0} {
				synctest.Wait()
				if st, err := r.Group("p", "ls", "g"); err != nil || len(st.Members) != members {
					t.Errorf("timeout %d: %d members (%v), want %d", seconds, len(st.Members), err, members)
				}
				time.Sleep(time.Second)
			}
			_ = r.Close()
		})
	}
}

func TestDeleteAndCreate(t *testing.T) {
	r := newRig(t, Config{})
	r.createGroup(60, false)
	r.want(r.beat("c1", "[]"), 200, "[0,1]")
	r.want(r.commit("c1", 0, r.cursor(0, "begin"), false), 200, "")
	ls, _ := r.findLogstore("p", "ls")
	old := ls.group("g")
	r.want(r.do("DELETE", groupPath, ""), 200, "")
	var e *apiError
	if _, err := old.heartbeat("c1", nil); !errors.As(err, &e) || e.code != "ConsumerGroupNotExist" {
		t.Errorf("a heartbeat that was at work during the deletion: %v", err)
	}
	r.createGroup(60, false)
	r.wantCode(r.beat("c1", "[0,1]"), 400, "NotExistConsumerWithBody")
	r.want(r.do("GET", groupPath, ""), 200,
		`[{"shard":0,"checkpoint":"","updateTime":0,"consumer":""},{"shard":1,"checkpoint":"","updateTime":0,"consumer":""}]`)
}

// TestTrace is what the official consumer library was seen to do, in its order.
func TestTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		r.want(r.do("GET", "/logstores/ls/consumergroups", ""), 200, "[]")
		r.createGroup(3, false)
		r.want(r.beat("c1", "[]"), 200, "[0,1]")
		empty := `[{"shard":0,"checkpoint":"","updateTime":0,"consumer":"c1"},{"shard":1,"checkpoint":"","updateTime":0,"consumer":"c1"}]`
		for shard := range 2 {
			r.want(r.do("GET", groupPath, ""), 200, empty)
			r.cursor(shard, "begin")
		}
		time.Sleep(time.Second)
		r.want(r.beat("c1", "[1,0]"), 200, "[0,1]")
		r.want(r.beat("c2", "[]"), 200, "[]")
		time.Sleep(time.Second)
		r.want(r.beat("c1", "[0,1]"), 200, "[0]") // revoked
		r.want(r.beat("c2", "[]"), 200, "[]")
		time.Sleep(time.Second)
		r.want(r.commit("c1", 1, r.cursor(1, "end"), true), 200, "")
		r.want(r.beat("c1", "[0]"), 200, "[0]")
		r.want(r.beat("c2", "[]"), 200, "[1]")
		f, err := r.AddFault(Fault{Op: "ConsumerGroupHeartBeat", Code: "NotExistConsumerWithBody"})
		if err != nil {
			t.Fatal(err)
		}
		for range 5 { // it repeats itself for timeout + interval, and drops everything then
			time.Sleep(time.Second)
			r.wantCode(r.beat("c1", "[0]"), 400, "NotExistConsumerWithBody")
		}
		r.RemoveFault(f)
		r.want(r.beat("c1", "[]"), 200, "[0,1]") // c2 has gone meanwhile
		_ = r.Close()
	})
}
