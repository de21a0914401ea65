package coordinator

import (
	"testing"

	"github.com/rollcall-go/rollcall/coordinator/internal/event"
)

// Every kind of event is logged, and says how.
func TestEveryEventIsLogged(t *testing.T) {
	for kind := event.Kind(1); kind <= event.Kinds; kind++ {
		if shardEvents[kind].message == "" {
			t.Errorf("the kind of event %d is not in the table", kind)
		}
	}
}
