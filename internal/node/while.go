package node

import (
	"context"
	"time"
)

// looksAgain is how often it is looked whether something still holds that a request waits for.
const looksAgain = 50 * time.Millisecond

// while is ctx for as long as something holds, looked at from time to time. A request to an active controller waits so: one that is
// frozen answers nothing and keeps its connections, and what was asked of it would be waited for while another one leads, a
// heartbeat until its broker is fenced. Who calls it must call the function that ends it.
func while(ctx context.Context, holds func() bool) (context.Context, context.CancelFunc) {
	ctx, end := context.WithCancel(ctx)
	var look func()
	look = func() {
		switch {
		case ctx.Err() != nil:
		case holds():
			time.AfterFunc(looksAgain, look)
		default:
			end()
		}
	}
	time.AfterFunc(looksAgain, look)
	return ctx, end
}
