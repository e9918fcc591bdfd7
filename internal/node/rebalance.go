package node

import (
	"context"
	"sync"
	"time"

	"github.com/barnabas-mq/barnabas/internal/api"
	"github.com/barnabas-mq/barnabas/internal/config"
	"github.com/barnabas-mq/barnabas/internal/controller"
	"github.com/barnabas-mq/barnabas/internal/machine"
)

// background is what goes on beside everything else from start to close.
type background struct {
	stop context.CancelFunc
	done sync.WaitGroup
}

func (b *background) start(runs ...func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	b.stop = cancel
	for _, run := range runs {
		b.done.Go(func() { run(ctx) })
	}
}

func (b *background) close() {
	if b.stop != nil {
		b.stop()
		b.done.Wait()
	}
}

// rebalance gives partitions back to their preferred leaders from time to time, while this node leads the quorum: a broker that was
// away leads nothing when it comes back.
func (c *activeController) rebalance(ctx context.Context) {
	for {
		v := c.node.live.values()
		if pause(ctx, time.Duration(config.LeaderImbalanceCheckIntervalSeconds.Of(v))*time.Second) != nil {
			return
		}
		if !config.AutoLeaderRebalanceEnable.Of(c.node.live.values()) || c.node.isSoleBroker(c.node.metadata.current()) {
			continue
		}
		for c.balanceOnce(ctx) {
		}
	}
}

// balanceOnce makes one decision, which is bounded, and says whether there is more to do.
func (c *activeController) balanceOnce(ctx context.Context) bool {
	return c.decideOnce(ctx, controller.Balance)
}

// raiseEvery is how often it is looked whether internal topics lack replicas.
const raiseEvery = 5 * time.Second

// raiseFactors gives internal topics the replicas that they were to have, while this node leads the quorum and as brokers come.
func (c *activeController) raiseFactors(ctx context.Context) {
	for pause(ctx, raiseEvery) == nil {
		v := c.node.live.values()
		if !config.InternalTopicsFactorRaiseEnable.Of(v) || c.node.isSoleBroker(c.node.metadata.current()) {
			continue
		}
		c.decideOnce(ctx, func(s controller.State, env controller.Env) (controller.Decision, bool) {
			return controller.RaiseFactors(s, env, api.InternalFactors(v))
		})
	}
}

// decideOnce makes one decision of nobody's asking.
func (c *activeController) decideOnce(ctx context.Context, decide func(controller.State, controller.Env) (controller.Decision, bool)) bool {
	runtime := c.runtime.Load()
	if runtime == nil {
		return false
	}
	more, done := false, make(chan error, 1)
	err := runtime.Submit(func(s controller.State, now time.Time) machine.Decision[controller.State, decisionRecords] {
		d, rest := decide(s, c.env(now))
		more = rest
		return toMachine(s, d, func(err error) { done <- err })
	})
	if err != nil {
		return false
	}
	select {
	case err := <-done:
		return err == nil && more
	case <-ctx.Done():
		return false
	}
}
