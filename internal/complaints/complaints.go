// Package complaints writes log lines that clients cause, one a client or cause and minute, with a count of those that were
// left out: what one client repeats must not fill the disk. It must not know what they complain of.
package complaints

import (
	"log/slog"
	"sync"
	"time"
)

const (
	// Every is how often one peer may cause a log line: Kafka writes 63,000 for 3,000 bad frames.
	Every = time.Minute
	// MaxPeers bounds the memory for that; peers beyond it share one line.
	MaxPeers = 1024
	// sweepEvery keeps many peers from causing a search through all of them each time.
	sweepEvery = time.Second
	otherPeers = "others"
)

// Book is the complaints about peers, or about whatever else a client can cause again and again. Its methods may be called
// from any goroutine.
type Book struct {
	logger *slog.Logger

	mu    sync.Mutex // Guards the fields below.
	peers map[string]*complaint
	swept time.Time
}

type complaint struct {
	since   time.Time // The last line.
	leftOut int
	what    string // Of the last one that was left out.
	err     error
}

// New starts with no complaint.
func New(logger *slog.Logger) *Book {
	return &Book{logger: logger, peers: make(map[string]*complaint)}
}

// Add writes a line, or counts it.
func (c *Book) Add(peer, what string, err error) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.peers[peer]
	if p == nil && len(c.peers) >= MaxPeers {
		c.sweep(now)
		if len(c.peers) >= MaxPeers {
			peer = otherPeers
			p = c.peers[peer]
		}
	}
	if p == nil {
		c.peers[peer] = &complaint{since: now}
		c.logger.Warn(what, "peer", peer, "error", err)
		return
	}
	if now.Sub(p.since) < Every {
		p.leftOut++
		p.what, p.err = what, err
		return
	}
	c.logger.Warn(what, "peer", peer, "error", err, "left_out", p.leftOut)
	*p = complaint{since: now}
}

// sweep forgets peers that were quiet for long enough, and says what was left out of them.
func (c *Book) sweep(now time.Time) {
	if now.Sub(c.swept) < sweepEvery {
		return
	}
	c.swept = now
	for peer, p := range c.peers {
		if now.Sub(p.since) >= Every {
			c.last(peer, p)
			delete(c.peers, peer)
		}
	}
}

func (c *Book) last(peer string, p *complaint) {
	if p.leftOut > 0 {
		c.logger.Warn(p.what, "peer", peer, "error", p.err, "left_out", p.leftOut-1)
	}
}

// Flush says what was left out so far and forgets everybody.
func (c *Book) Flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for peer, p := range c.peers {
		c.last(peer, p)
	}
	clear(c.peers)
}
