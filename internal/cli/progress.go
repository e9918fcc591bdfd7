package cli

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// progressInterval is how often the line of a long work is written anew.
const progressInterval = 250 * time.Millisecond

// progress counts records and bytes and, when somebody watches, keeps one line about them up to date.
type progress struct {
	records, bytes atomic.Int64
	began          time.Time
	done           chan struct{}
	finished       chan struct{}
}

// watch begins counting. The caller must call stop.
func (a *app) watch(verb string) *progress { return a.watchIf(a.Interactive, verb) }

// watchPrinting is watch for what prints as it goes: on a terminal that is progress enough.
func (a *app) watchPrinting(verb string) *progress { return a.watchIf(a.Interactive && a.Piped, verb) }

func (a *app) watchIf(shown bool, verb string) *progress {
	p := &progress{began: time.Now(), done: make(chan struct{}), finished: make(chan struct{})}
	if !shown {
		close(p.finished)
		return p
	}
	go p.show(a.Stderr, verb)
	return p
}

func (p *progress) add(bytes int) {
	p.records.Add(1)
	p.bytes.Add(int64(bytes))
}

func (p *progress) show(w io.Writer, verb string) {
	defer close(p.finished)
	ticker := time.NewTicker(progressInterval)
	defer ticker.Stop()
	for shown := false; ; {
		select {
		case <-p.done:
			if shown {
				fmt.Fprint(w, "\r\x1b[K")
			}
			return
		case <-ticker.C:
			fmt.Fprintf(w, "\r\x1b[K%s %s", verb, p)
			shown = true
		}
	}
}

// String is how far the work is, with its rate.
func (p *progress) String() string {
	records, bytes, elapsed := p.records.Load(), p.bytes.Load(), time.Since(p.began)
	rate := ""
	if seconds := elapsed.Seconds(); seconds >= 0.1 {
		rate = fmt.Sprintf(", %s/s", sizeText(int64(float64(bytes)/seconds)))
	}
	return fmt.Sprintf("%s, %s in %s%s", plural(records, "record"), sizeText(bytes), elapsed.Round(time.Millisecond), rate)
}

func (p *progress) stop() {
	close(p.done)
	<-p.finished
}
