package admin

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

func TestHealthIsOKWheneverTheProcessAnswers(t *testing.T) {
	d := openDesk(t)
	d.notReady.Store(&errStarting)
	if p := d.get("/healthz"); p.status != http.StatusOK || p.text != "ok\n" {
		t.Errorf("%+v", p)
	}
}

func TestReadinessTurnsWithTheNodeAndSaysWhy(t *testing.T) {
	d := openDesk(t)
	for _, turn := range []struct {
		why    *error
		status int
		text   string
	}{
		{&errStarting, http.StatusServiceUnavailable, "still starting\n"},
		{nil, http.StatusOK, "ok\n"},
		{&errStarting, http.StatusServiceUnavailable, "still starting\n"},
	} {
		d.notReady.Store(turn.why)
		if p := d.get("/readyz"); p.status != turn.status || p.text != turn.text {
			t.Errorf("%d %q, not %d %q", p.status, p.text, turn.status, turn.text)
		}
	}
}

func TestGosProfilesAreGiven(t *testing.T) {
	d := openDesk(t)
	for path, what := range map[string]string{
		"/debug/pprof/":                   "Types of profiles available",
		"/debug/pprof/goroutine?debug=1":  "goroutine profile: total",
		"/debug/pprof/heap?debug=1":       "heap profile:",
		"/debug/pprof/symbol":             "num_symbols",
		"/debug/pprof/trace?seconds=0.01": "go 1.",
	} {
		if p := d.get(path); p.status != http.StatusOK || !strings.Contains(p.text, what) {
			t.Errorf("%s: %d, without %q: %.100q", path, p.status, what, p.text)
		}
	}
}

func TestOtherPathsAndMethodsAreRefused(t *testing.T) {
	d := openDesk(t)
	for _, path := range []string{"/", "/metric", "/metrics/", "/healthz/x", "/debug", "/debug/pprof/none"} {
		if p := d.get(path); p.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, p.status)
		}
	}
	for _, path := range []string{"/metrics", "/healthz", "/readyz", "/debug/pprof/heap", "/debug/pprof/profile"} {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
			if p := d.ask(method, path, nil); p.status != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: %d", method, path, p.status)
			}
		}
	}
}

func TestAnAddressThatIsTakenIsAnErrorAtStart(t *testing.T) {
	d := openDesk(t)
	second, err := Start(Options{Address: d.pages.Address(), Requests: d.requests, Logger: slog.New(slog.DiscardHandler)})
	if err == nil {
		_ = second.Close(t.Context())
		t.Fatal("two listen at one address")
	}
	if !strings.Contains(err.Error(), d.pages.Address()) {
		t.Errorf("%v does not name the address", err)
	}
}

// door is a page server with a request that waits inside.
type door struct {
	pages   *Server
	release chan struct{}
	answer  chan page
	failed  chan error
}

func openDoor(t *testing.T) *door {
	t.Helper()
	d := &door{release: make(chan struct{}), answer: make(chan page, 1), failed: make(chan error, 1)}
	arrived := make(chan struct{})
	pages, err := Start(Options{
		Address: "127.0.0.1:0", Requests: NewRequests("1.2.3"), Logger: slog.New(slog.DiscardHandler),
		Ready: func() error { close(arrived); <-d.release; return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	d.pages = pages
	go func() {
		p, err := request(pages.Address(), http.MethodGet, "/readyz", nil)
		d.answer <- p
		d.failed <- err
	}()
	<-arrived
	return d
}

func TestClosingLetsARequestFinishThatIsUnderWay(t *testing.T) {
	d := openDoor(t)
	closed := make(chan error)
	go func() { closed <- d.pages.Close(context.Background()) }()
	for { // The listener closes first; from then on the server only waits.
		if _, err := request(d.pages.Address(), http.MethodGet, "/healthz", nil); err != nil {
			break
		}
	}
	close(d.release)
	if p, err := <-d.answer, <-d.failed; err != nil || p.status != http.StatusOK {
		t.Errorf("%+v, %v", p, err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

func TestClosingCutsWhatIsNotDoneInTime(t *testing.T) {
	d := openDoor(t)
	defer close(d.release)
	over, end := context.WithCancel(context.Background())
	end()
	if err := d.pages.Close(over); !errors.Is(err, context.Canceled) {
		t.Errorf("%v does not say that it was cut", err)
	}
	if p, err := <-d.answer, <-d.failed; err == nil {
		t.Errorf("answered %+v, although nobody let the request go on", p)
	}
}
