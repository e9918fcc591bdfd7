// Package complaints writes log lines that clients cause, one a cause and minute, with a count of those that were left out: what
// one client repeats must not fill the disk. It must not know what they complain of.
package complaints

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// Every is how often one cause may write a log line: Kafka writes 63,000 for 3,000 bad frames.
	Every = time.Minute
	// MaxCauses bounds the memory for that; causes beyond it share one line.
	MaxCauses = 1024
	// sweepEvery keeps many causes from causing a search through all of them each time.
	sweepEvery  = time.Second
	otherCauses = "others"
)

// Book is the complaints about peers, or about whatever else a client can cause again and again. Its methods may be called
// from any goroutine.
type Book struct {
	logger *slog.Logger

	mu     sync.Mutex // Guards the fields below.
	causes map[string]*complaint
	swept  time.Time
}

type complaint struct {
	since   time.Time // The last line.
	leftOut int
	last    line // Of those that were left out.
}

type line struct {
	level  slog.Level
	what   string
	fields []any
}

// New starts with no complaint.
func New(logger *slog.Logger) *Book {
	return &Book{logger: logger, causes: make(map[string]*complaint)}
}

// Add complains about a peer.
func (c *Book) Add(peer, what string, err error) {
	c.Say(slog.LevelWarn, peer, what, "peer", peer, "error", err)
}

// Say writes a line with fields as slog takes them, or counts it if the cause had one within the last minute.
func (c *Book) Say(level slog.Level, cause, what string, fields ...any) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	said := line{level, what, fields}
	known := c.causes[cause]
	if known == nil && len(c.causes) >= MaxCauses {
		c.sweep(now)
		if len(c.causes) >= MaxCauses {
			cause = otherCauses
			known = c.causes[cause]
		}
	}
	switch {
	case known == nil:
		c.causes[cause] = &complaint{since: now}
		c.write(said)
	case now.Sub(known.since) < Every:
		known.leftOut++
		known.last = said
	default:
		c.write(said, "left_out", known.leftOut)
		*known = complaint{since: now}
	}
}

func (c *Book) write(l line, more ...any) {
	c.logger.Log(context.Background(), l.level, l.what, append(l.fields[:len(l.fields):len(l.fields)], more...)...)
}

// sweep forgets causes that were quiet for long enough, and says what was left out of them.
func (c *Book) sweep(now time.Time) {
	if now.Sub(c.swept) < sweepEvery {
		return
	}
	c.swept = now
	for cause, known := range c.causes {
		if now.Sub(known.since) >= Every {
			c.finish(known)
			delete(c.causes, cause)
		}
	}
}

func (c *Book) finish(known *complaint) {
	if known.leftOut > 0 {
		c.write(known.last, "left_out", known.leftOut-1)
	}
}

// Flush says what was left out so far and forgets everybody.
func (c *Book) Flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, known := range c.causes {
		c.finish(known)
	}
	clear(c.causes)
}
