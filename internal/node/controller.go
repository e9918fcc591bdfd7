package node

import (
	"context"
	"crypto/rand"
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
}

var errNoController = fmt.Errorf("no active controller: %w", kerr.NotController)

// Do decides a request, and returns its answer once what it decided is committed.
func (c *activeController) Do(ctx context.Context, req kmsg.Request, _ string) (kmsg.Response, error) {
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
		d := controller.Decide(s, req, c.env(now))
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
		// The caller's next look at the image shows what was decided.
		c.node.publisher.await()
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
	return err
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
