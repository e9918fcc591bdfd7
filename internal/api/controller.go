package api

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/meta"
)

const (
	// defaultControllerMs bounds requests to the controller that name no time of their own.
	defaultControllerMs = 30_000
	// mostControllerMs bounds what a client may name: nobody waits for longer, and a connection should not.
	mostControllerMs = 5 * 60_000
)

// controllerContext bounds a request to the controller by the client's timeout. One of zero or less is the controller's
// to refuse, so that its answer is the same for every request.
func controllerContext(r *Request, timeoutMillis int32) (context.Context, context.CancelFunc) {
	if timeoutMillis <= 0 {
		timeoutMillis = defaultControllerMs
	}
	return context.WithTimeout(r.Ctx, time.Duration(min(timeoutMillis, mostControllerMs))*time.Millisecond)
}

// awaitImage waits until this broker acts on what the controller decided, so that a client that was told of a topic
// finds it here. That the time is up changes nothing about the decision, so it is not an error.
func (b *Broker) awaitImage(ctx context.Context, wanted func(*meta.Image) bool) {
	if err := b.AwaitImage(ctx, wanted); err != nil {
		b.Logger.Debug("metadata is late", "error", err)
	}
}

// decided has the controller decide a request and answers what it says, or refusal's answer if nobody decides. within is the
// client's timeout.
func (b *Broker) decided(r *Request, within int32, where string, refusal func(code int16, text *string) kmsg.Response) Result {
	return later(func() Result {
		ctx, cancel := controllerContext(r, within)
		defer cancel()
		answer, err := b.Controller.Do(ctx, r.Body, r.Conn.Principal)
		if err != nil {
			return respond(refusal(b.code(err, kerr.NotController, where), message(err)))
		}
		return respond(answer)
	})
}
