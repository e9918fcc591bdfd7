package server

import (
	"log/slog"
	"sync"
	"time"
)

const (
	// complaintEvery is how often one peer may cause a log line: Kafka writes 63,000 for 3,000 bad frames.
	complaintEvery = time.Minute
	// complaintPeers bounds the memory for that; peers beyond it share one line.
	complaintPeers = 1024
	// sweepEvery keeps many peers from causing a search through all of them each time.
	sweepEvery = time.Second
	otherPeers = "others"
)

// complaints writes log lines about peers, one a peer and minute, with a count of those that were left out.
type complaints struct {
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

func newComplaints(logger *slog.Logger) *complaints {
	return &complaints{logger: logger, peers: make(map[string]*complaint)}
}

func (c *complaints) add(peer, what string, err error) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.peers[peer]
	if p == nil && len(c.peers) >= complaintPeers {
		c.sweep(now)
		if len(c.peers) >= complaintPeers {
			peer = otherPeers
			p = c.peers[peer]
		}
	}
	if p == nil {
		c.peers[peer] = &complaint{since: now}
		c.logger.Warn(what, "peer", peer, "error", err)
		return
	}
	if now.Sub(p.since) < complaintEvery {
		p.leftOut++
		p.what, p.err = what, err
		return
	}
	c.logger.Warn(what, "peer", peer, "error", err, "left_out", p.leftOut)
	*p = complaint{since: now}
}

// sweep forgets peers that were quiet for long enough, and says what was left out of them.
func (c *complaints) sweep(now time.Time) {
	if now.Sub(c.swept) < sweepEvery {
		return
	}
	c.swept = now
	for peer, p := range c.peers {
		if now.Sub(p.since) >= complaintEvery {
			c.last(peer, p)
			delete(c.peers, peer)
		}
	}
}

func (c *complaints) last(peer string, p *complaint) {
	if p.leftOut > 0 {
		c.logger.Warn(p.what, "peer", peer, "error", p.err, "left_out", p.leftOut-1)
	}
}

// flush says what was left out so far and forgets everybody.
func (c *complaints) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for peer, p := range c.peers {
		c.last(peer, p)
	}
	clear(c.peers)
}
