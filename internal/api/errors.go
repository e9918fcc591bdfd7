package api

import (
	"context"
	"errors"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kerr"
)

// code turns an error into its code on the wire; nil is 0. A *kerr.Error anywhere in the chain is itself; an ended
// context is REQUEST_TIMED_OUT. Anything else is ours alone: it is logged with where it happened, and the client is
// told nearest, the retriable error of that API which makes it ask again or elsewhere. UNKNOWN_SERVER_ERROR is not
// used for that, as clients treat it as fatal (and Produce as a reason to send duplicates).
func (b *Broker) code(err error, nearest *kerr.Error, where string) int16 {
	if err == nil {
		return 0
	}
	var known *kerr.Error
	if errors.As(err, &known) {
		return known.Code
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return kerr.RequestTimedOut.Code
	}
	b.Complaints.Say(slog.LevelError, "failed "+where, "request failed", "where", where, "answered", nearest.Message, "error", err)
	return nearest.Code
}

// message is the text beside a code, for the versions that carry one; null without an error.
func message(err error) *string {
	if err == nil {
		return nil
	}
	text := err.Error()
	return &text
}
