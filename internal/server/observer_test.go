package server

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/api"
	"github.com/barnabas-mq/barnabas/internal/wire"
)

// witness remembers the requests that were served.
type witness struct {
	nobody
	mu     sync.Mutex
	served []Served
}

func (w *witness) Served(s Served) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.served = append(w.served, s)
}

// TestTheObserverIsToldTheErrorCodesOfEachAnswer has requests that are answered with a response, by hand, and not at all.
func TestTheObserverIsToldTheErrorCodesOfEachAnswer(t *testing.T) {
	counted := api.ErrorCounts{{Code: 3, Times: 2}}
	seen := &witness{}
	h := prepare(t, Limits{},
		api.Row{Key: 12, Max: 4, Handle: func(_ *api.Broker, r *api.Request) api.Result {
			response := r.Body.ResponseKind().(*kmsg.HeartbeatResponse)
			response.ErrorCode = 27
			return api.Result{Response: response}
		}},
		api.Row{Key: 1, Max: 12, Handle: func(*api.Broker, *api.Request) api.Result {
			var errs api.ErrorCounts
			return api.Result{Errors: &errs, Encode: func(out *wire.Buffer) error {
				errs = counted
				out.AppendFunc(kmsg.NewPtrFetchResponse().AppendTo)
				return nil
			}}
		}},
		api.Row{Key: 0, Max: 9, Aliases: true, Handle: func(*api.Broker, *api.Request) api.Result {
			return api.Result{Errors: &counted, Close: errors.New("as with acks=0")}
		}},
	)
	h.server.observer = seen
	if err := h.server.Listen(); err != nil {
		t.Fatal(err)
	}
	h.server.Serve()
	c := h.dial()
	c.send(apiVersions(), heartbeat(), fetch(), produce(10))
	c.expect(1, 2, 3)
	c.expectClosed()
	h.stop()

	want := []api.ErrorCounts{nil, {{Code: 27, Times: 1}}, counted, counted}
	if len(seen.served) != len(want) {
		t.Fatalf("%d requests were seen: %+v", len(seen.served), seen.served)
	}
	for i, s := range seen.served {
		if !slices.Equal(s.Errors, want[i]) {
			t.Errorf("api key %d: told of %v, not %v", s.Key, s.Errors, want[i])
		}
	}
}
