package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// getTimeout bounds one request. Whoever was to answer may be gone, and the next request
// goes to another replica.
const getTimeout = 2 * time.Second

// getRequest is the body of a direct get.
type getRequest struct {
	Seq       uint64     `json:"seq,omitempty"`
	StartTime *time.Time `json:"start_time,omitempty"`
	NextFor   string     `json:"next_by_subj,omitempty"`
	Batch     int        `json:"batch,omitempty"`
	MaxBytes  int        `json:"max_bytes,omitempty"`
	MultiLast []string   `json:"multi_last,omitempty"`
}

// found is the answer to a direct get.
type found struct {
	messages []Message
	bytes    int64  // what the messages take
	pending  uint64 // how many more there are
	upTo     uint64 // of a request for the last message: the last sequence the replica knew
}

// gets makes direct gets. The answers to all of them come over one subscription. It is
// safe for concurrent use.
type gets struct {
	nc      *nats.Conn
	subject string // of the requests
	inbox   string // of the answers, without the request's number
	sub     *nats.Subscription

	mu      sync.Mutex // guards the fields below
	number  uint64
	waiting map[string]*get
}

// get is a request that waits for its answer.
type get struct {
	answer found
	last   uint64 // the sequence of the newest message so far
	err    error
	done   chan struct{}
}

func newGets(nc *nats.Conn, stream string) (*gets, error) {
	g := &gets{
		nc: nc, subject: "$JS.API.DIRECT.GET." + stream, inbox: nc.NewInbox() + ".", waiting: map[string]*get{},
	}
	var err error
	g.sub, err = nc.Subscribe(g.inbox+"*", g.take)
	if err != nil {
		return nil, fmt.Errorf("subscribe to answers: %w", err)
	}
	// What the requests ask for bounds what comes; the library's own bound would drop
	// messages when a thousand shards start together.
	return g, g.sub.SetPendingLimits(-1, -1)
}

// close gives up the subscription. A connection that is closed has given it up.
func (g *gets) close() error {
	if err := g.sub.Unsubscribe(); !errors.Is(err, nats.ErrConnectionClosed) {
		return err
	}
	return nil
}

// get makes a request and waits for all of its answer. A request whose answer is not
// complete has failed: nothing of it is returned.
func (g *gets) get(ctx context.Context, r getRequest) (found, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return found{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, getTimeout, errNoAnswer)
	defer cancel()
	w := &get{done: make(chan struct{})}
	inbox := g.register(w)
	defer g.forget(inbox)
	if err := g.nc.PublishRequest(g.subject, inbox, body); err != nil {
		return found{}, err
	}
	select {
	case <-w.done:
		return w.answer, w.err
	case <-ctx.Done():
		return found{}, context.Cause(ctx)
	}
}

var (
	errNoAnswer = errors.New("no answer to a direct get")
	errNobody   = errors.New("no server has the stream, or it does not allow direct gets")
	errHole     = errors.New("a part of an answer was lost on the way")
)

func (g *gets) register(w *get) (inbox string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.number++
	inbox = g.inbox + strconv.FormatUint(g.number, 10)
	g.waiting[inbox] = w
	return inbox
}

func (g *gets) forget(inbox string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.waiting, inbox)
}

// take files a message of an answer. The library calls it from one goroutine. A get that
// nobody waits for any more is not found.
func (g *gets) take(m *nats.Msg) {
	g.mu.Lock()
	defer g.mu.Unlock()
	w := g.waiting[m.Subject]
	if w == nil {
		return
	}
	if more := w.take(m); !more {
		delete(g.waiting, m.Subject)
		close(w.done)
	}
}

// Headers of an answer.
const (
	headerStatus      = "Status"
	headerDescription = "Description"
	headerStream      = "Nats-Stream"
	headerSubject     = "Nats-Subject"
	headerSequence    = "Nats-Sequence"
	headerTime        = "Nats-Time-Stamp"
	headerPending     = "Nats-Num-Pending"
	headerBefore      = "Nats-Last-Sequence" // of the message before, in the same answer
	headerUpTo        = "Nats-UpTo-Sequence"
)

// take files a message, and reports whether more have to come.
func (w *get) take(m *nats.Msg) (more bool) {
	status := m.Header.Get(headerStatus)
	switch status {
	case "":
		w.err = w.message(m)
		return w.err == nil
	case "204": // the end of the answer
		w.answer.pending, w.err = number(m, headerPending)
		if w.err == nil && m.Header.Get(headerUpTo) != "" {
			w.answer.upTo, w.err = number(m, headerUpTo)
		}
		if w.err == nil {
			w.err = w.follows(m)
		}
	case "404": // there is nothing
	case "503":
		w.err = errNobody
	default:
		w.err = fmt.Errorf("direct get: %s %s", status, strings.TrimSpace(m.Header.Get(headerDescription)))
	}
	return false
}

// message files a message of the stream.
func (w *get) message(m *nats.Msg) error {
	sequence, err := number(m, headerSequence)
	if err != nil {
		return err
	}
	at, err := time.Parse(time.RFC3339Nano, m.Header.Get(headerTime))
	if err != nil {
		return fmt.Errorf("direct get: %s: %w", headerTime, err)
	}
	if err := w.follows(m); err != nil {
		return err
	}
	w.last = sequence
	message := Message{Sequence: sequence, Time: at, Header: own(m.Header), Data: m.Data}
	w.answer.messages = append(w.answer.messages, message)
	w.answer.bytes += message.size()
	return nil
}

// own returns the publisher's headers.
func own(h nats.Header) nats.Header {
	for _, name := range []string{headerStream, headerSubject, headerSequence, headerTime, headerPending, headerBefore} {
		delete(h, name)
	}
	if len(h) == 0 {
		return nil
	}
	return h
}

// follows checks that nothing is missing between this part of an answer and the last one.
func (w *get) follows(m *nats.Msg) error {
	before, err := number(m, headerBefore)
	if err == nil && before != w.last {
		err = errHole
	}
	return err
}

func number(m *nats.Msg, header string) (uint64, error) {
	n, err := strconv.ParseUint(m.Header.Get(header), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("direct get: %s: %w", header, err)
	}
	return n, nil
}
