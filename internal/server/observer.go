package server

import (
	"time"

	"github.com/barnabas-mq/barnabas/internal/api"
)

// Served is one request, seen from outside. Its answer is encoded, and perhaps held back for a moment before it is
// written.
type Served struct {
	Key, Version int16
	Listener     string
	ClientID     string
	In, Out      int           // Bytes, with their lengths in front; Out is 0 without an answer.
	Duration     time.Duration // From the request being whole to its answer being encoded.
	Failed       bool          // The connection was closed instead of answering.
	// Errors are the error codes in the answer, or those for which the connection was closed.
	Errors api.ErrorCounts
}

// Observer is told what the server does. Its methods are called on the hot path, by many goroutines: they must be fast
// and not wait.
type Observer interface {
	Served(s Served)
	Connections(listener string, change int)
	// Refused counts bytes that were no request: malformed frames, unknown APIs and versions.
	Refused(listener string)
}

type nobody struct{}

func (nobody) Served(Served)           {}
func (nobody) Connections(string, int) {}
func (nobody) Refused(string)          {}
