package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/config"
	"github.com/barnabas-mq/barnabas/internal/controller"
	"github.com/barnabas-mq/barnabas/internal/machine"
	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/barnabas-mq/barnabas/internal/metalog"
)

// decisionRecords are the records of one decision. The runtime replays them as one, which for a topic of ten thousand
// partitions is as many times cheaper as replaying them one by one.
type decisionRecords = *decided

type decided struct {
	records []meta.Record
	image   *meta.Image // that they lead to, once they were replayed
}

func (d *decided) replay(s controller.State) controller.State {
	next := s.Replay(d.records...)
	d.image = next.Image
	return next
}

type controllerRuntime = machine.Runtime[controller.State, decisionRecords]

// activeController runs the controller's machine while this node leads the quorum, and takes requests for it. It is the
// seam behind which a cluster forwards to another node.
type activeController struct {
	node    *Node
	runtime atomic.Pointer[controllerRuntime] // nil while another node, or nobody, leads
	level   atomic.Int32                      // metadata.version, by which records are written
	own     ownImages
	closed  atomic.Bool // the node stops
	watched watched
}

var errNoController = fmt.Errorf("no active controller: %w", kerr.NotController)

// Do has a request decided, here or by the node that leads the quorum, and returns its answer once what it decided is
// committed. In a cluster it looks for the leader until there is one or ctx ends; a request whose way broke is sent again then,
// as in Kafka, also if it was acted on.
func (c *activeController) Do(ctx context.Context, req kmsg.Request, principal string) (kmsg.Response, error) {
	for {
		answer, err := c.ask(ctx, req, principal)
		if err == nil || !errors.Is(err, kerr.NotController) || c.node.ensemble.alone() || c.closed.Load() {
			return answer, err
		}
		if pause(ctx, retryAfter) != nil {
			return nil, err
		}
	}
}

func (c *activeController) ask(ctx context.Context, req kmsg.Request, principal string) (kmsg.Response, error) {
	if c.runtime.Load() == nil && !c.node.ensemble.alone() {
		return c.node.ensemble.forward(ctx, req, principal)
	}
	if isQuorums(req) {
		return c.node.ensemble.decide(ctx, req)
	}
	answer, err := c.here(ctx, req, c.node.nodeID)
	if err == nil {
		// The caller's next look at the image shows what was decided.
		c.node.publisher.await()
	}
	return answer, err
}

// anyBroker is for requests that another node took from a client.
const anyBroker = -1

// forwarded decides a request that another node has forwarded. A broker's heartbeats keep it in view.
func (c *activeController) forwarded(ctx context.Context, req kmsg.Request, _ string) (kmsg.Response, error) {
	if beat, ok := req.(*kmsg.BrokerHeartbeatRequest); ok {
		c.watch(ctx, beat.BrokerID, beat.BrokerEpoch)
	}
	if isQuorums(req) {
		return c.node.ensemble.decide(ctx, req)
	}
	if !controller.Handles(req.Key()) {
		return nil, fmt.Errorf("api key %d is not the controller's: %w", req.Key(), kerr.InvalidRequest)
	}
	return c.here(ctx, req, anyBroker)
}

// here decides a request if this node leads the quorum.
func (c *activeController) here(ctx context.Context, req kmsg.Request, broker int32) (kmsg.Response, error) {
	runtime := c.runtime.Load()
	if runtime == nil {
		return nil, errNoController
	}
	type outcome struct {
		response kmsg.Response
		err      error
	}
	done := make(chan outcome, 1)
	err := runtime.Submit(func(s controller.State, now time.Time) machine.Decision[controller.State, decisionRecords] {
		env := c.env(now)
		env.BrokerID = broker
		d := controller.Decide(s, req, env)
		return toMachine(s, d, func(err error) { done <- outcome{d.Response, err} })
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, kerr.NotController)
	}
	select {
	case o := <-done:
		if o.err != nil {
			return nil, fmt.Errorf("%w: %w", o.err, kerr.NotController)
		}
		return o.response, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// toMachine turns a controller's decision into the runtime's.
func toMachine(s controller.State, d controller.Decision, reply func(error)) machine.Decision[controller.State, decisionRecords] {
	out := machine.Decision[controller.State, decisionRecords]{State: controller.State{Image: s.Image, Soft: d.Soft}}
	if len(d.Records) > 0 {
		out.Records = []decisionRecords{{records: d.Records}}
	}
	if reply != nil {
		out.Replies = []func(error){reply}
	}
	return out
}

// lead starts the machine in a term, on the image that everything committed before makes.
func (c *activeController) lead(term uint64) error {
	m := c.node.metadata
	writer, err := metalog.Lead(m.log, term, c.encode, func(payload []byte) error { return m.raft.Propose(term, payload) })
	if err != nil {
		return err
	}
	image := m.current()
	runtime := machine.New(machine.Options[controller.State, decisionRecords]{
		Name:   "controller",
		State:  controller.NewState(image),
		Replay: func(s controller.State, d decisionRecords) controller.State { return d.replay(s) },
		Log:    controllerLog{writer, &c.own},
		Timer:  c.timer(),
		Logger: c.node.logger,
		Now:    time.Now,
	})
	c.level.Store(int32(image.MetadataVersion()))
	// The first decision is in the queue before anybody can ask for another: a broker that registered before the cluster
	// has its features would be refused. No commit is missed, as those are told on this goroutine.
	err = runtime.Submit(func(s controller.State, now time.Time) machine.Decision[controller.State, decisionRecords] {
		out := machine.Decision[controller.State, decisionRecords]{State: s}
		if records := controller.InitialRecords(s.Image, c.env(now)); len(records) > 0 {
			out.Records = []decisionRecords{{records: records}}
		}
		return out
	})
	c.runtime.Store(runtime)
	c.lookAround(runtime)
	return err
}

// timer fences brokers that were silent for too long. The only broker, which is this node, would fence itself for having been stopped
// for a while.
func (c *activeController) timer() func(controller.State, time.Time) (machine.Decision[controller.State, decisionRecords], time.Time) {
	return func(s controller.State, now time.Time) (machine.Decision[controller.State, decisionRecords], time.Time) {
		if c.node.isSoleBroker(s.Image) {
			return machine.Decision[controller.State, decisionRecords]{State: s}, time.Time{}
		}
		d, next := controller.Tick(s, c.env(now))
		if d.Response != nil {
			panic("node: a tick has an answer")
		}
		return toMachine(s, d, nil), next
	}
}

// encode writes a record at the version that the cluster's metadata.version asks for.
func (c *activeController) encode(r meta.Record) ([]byte, error) {
	if f, ok := r.(*meta.FeatureLevelRecord); ok && f.Name == meta.FeatureMetadataVersion {
		c.level.Store(int32(f.FeatureLevel))
	}
	return meta.Encode(nil, r, int16(c.level.Load()))
}

// controllerLog appends the records of several decisions as one batch.
type controllerLog struct {
	writer *metalog.Writer[meta.Record]
	own    *ownImages
}

func (l controllerLog) Append(decisions []decisionRecords) (int64, error) {
	var records []meta.Record
	for _, d := range decisions {
		records = append(records, d.records...)
	}
	return l.own.append(decisions[len(decisions)-1].image, func() (int64, error) { return l.writer.Append(records) })
}

// committed tells the machine how far the metadata log is committed.
func (c *activeController) committed(end int64) {
	if runtime := c.runtime.Load(); runtime != nil {
		runtime.Advance(end)
	}
}

// resign stops the machine: who waits is told to look for another controller.
func (c *activeController) resign() {
	if runtime := c.runtime.Swap(nil); runtime != nil {
		runtime.Close(errNoController)
	}
	c.own.forget()
}

// env is what the controller's decisions take from this node.
func (c *activeController) env(now time.Time) controller.Env {
	v := c.node.live.values()
	return controller.Env{
		Now:                      now,
		NewID:                    newID,
		Seed:                     uint64(now.UnixNano()),
		NextOffset:               c.node.metadata.log.Position().Offset,
		ClusterID:                c.node.clusterID,
		BrokerID:                 c.node.nodeID,
		NodeID:                   c.node.nodeID,
		KRaftVersion:             kraftVersion,
		SessionTimeout:           config.Millis(config.BrokerSessionTimeoutMs, v),
		DefaultPartitions:        config.NumPartitions.Of(v),
		DefaultReplicationFactor: int16(config.DefaultReplicationFactor.Of(v)),
		MinInsyncReplicas:        config.TopicMinInsyncReplicas.Of(v),
		UncleanLeaderElection:    config.TopicUncleanLeaderElectionEnable.Of(v),
		DeleteTopicDisabled:      !config.DeleteTopicEnable.Of(v),
		CheckTopicConfig:         config.CheckTopic,
		CheckConfigs:             func(r meta.ConfigResource, values map[string]string) error { return checkConfigs(v, r, values) },
		ListConfig:               listConfig(v),
		TopicConfigs: func(im *meta.Image, overrides map[string]string) []controller.TopicConfig {
			return topicConfigs(v, overrides)
		},
		Finalize:    finalized,
		Features:    supportedFeatures(),
		Incarnation: c.node.incarnation,
	}
}

// newID makes a random id that is no reserved one.
func newID() meta.ID {
	for {
		var id meta.ID
		_, _ = rand.Read(id[:])
		id[6] = id[6]&0x0f | 0x40
		id[8] = id[8]&0x3f | 0x80
		// Kafka's own ids never begin with a dash when written in base64, as tools would take them for a flag.
		if id[0]>>2 != 62 {
			return id
		}
	}
}
