// Package node builds a process from its roles, connects the parts, starts and stops them in order. It alone knows
// everyone, and decides nothing.
package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/barnabas-mq/barnabas/internal/admin"
	"github.com/barnabas-mq/barnabas/internal/api"
	"github.com/barnabas-mq/barnabas/internal/complaints"
	"github.com/barnabas-mq/barnabas/internal/config"
	"github.com/barnabas-mq/barnabas/internal/coordinator"
	"github.com/barnabas-mq/barnabas/internal/fetcher"
	"github.com/barnabas-mq/barnabas/internal/logdir"
	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/barnabas-mq/barnabas/internal/replica"
	"github.com/barnabas-mq/barnabas/internal/server"
	"github.com/barnabas-mq/barnabas/internal/storage"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// Options are what a node is started with.
type Options struct {
	Values  *config.Values
	Logger  *slog.Logger
	Version string
	FS      vfs.FS // nil: the operating system's
	// LogLevel is the level of Logger, if it may be changed while running.
	LogLevel *slog.LevelVar
	// SkipRecoveryScan leaves out the check of logs after an unclean stop. Only the crash suite sets it, to prove that it
	// would notice.
	SkipRecoveryScan bool
	// AcknowledgeEarly has records count as committed that only this broker has. Only the cluster suite sets it, likewise.
	AcknowledgeEarly bool
}

// Node is one running process.
type Node struct {
	options   Options
	logger    *slog.Logger
	live      *live
	nodeID    int32
	clusterID string
	started   time.Time

	files        *storage.Files
	metadataDir  string // metadata.log.dir
	dirs         []*logdir.Dir
	metadata     *metadata
	ensemble     *ensemble
	control      *server.Server // of the controller's listeners; nil if there are none
	publisher    *publisher
	controller   *activeController
	replicas     *replica.Manager
	groups       *coordinator.Coordinator
	broker       *api.Broker
	server       *server.Server
	overrides    overrides // of the start, then of act
	registration *registration
	assignments  *assignments
	proposals    *proposals
	background   background
	fetchers     *fetcher.Fetchers
	incarnation  meta.ID
	requests     *admin.Requests
	admin        *admin.Server // nil: not served
	serving      atomic.Bool
	gaveUp       atomic.Bool // it cannot go on, so it asks nobody for anything any more
	thrift       *thrift
	complaints   *complaints.Book
	// listeners are those of the last image, and saidNotBound what was said of them; they belong to the publisher's goroutine.
	listeners    []server.Listener
	saidNotBound string
	// settingsKnown is closed when the first image, of all that was committed before the start, has been acted on.
	settingsKnown     chan struct{}
	settingsKnownOnce sync.Once

	failOnce sync.Once
	failed   chan error              // the first failure that ends the process
	abort    context.CancelCauseFunc // ends the start
}

// Start starts a node and returns when it serves requests. ctx bounds the start only.
func Start(ctx context.Context, o Options) (*Node, error) {
	if o.FS == nil {
		o.FS = vfs.OS()
	}
	n := &Node{
		options: o, logger: o.Logger, nodeID: config.NodeID.Of(o.Values), started: time.Now(),
		incarnation: newID(), thrift: newThrift(),
		failed: make(chan error, 1), complaints: complaints.New(o.Logger), requests: admin.NewRequests(o.Version),

		settingsKnown: make(chan struct{}),
	}
	n.live = newLive(n.nodeID, o.Values)
	ctx, n.abort = context.WithCancelCause(ctx)
	defer n.abort(nil)
	steps := []func(context.Context) error{
		n.placeMetadata, n.openDirs, n.openMetadata, n.openControl, n.meet, n.identify, n.openBroker, n.openAdmin, n.startMetadata, n.join, n.serve,
	}
	for _, step := range steps {
		err := step(ctx)
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		if err != nil {
			stop, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			return nil, errors.Join(err, n.Stop(stop))
		}
	}
	return n, nil
}

// Run starts a node, and stops it when ctx ends or when it cannot go on. ready, if not nil, is called once it serves.
func Run(ctx context.Context, o Options, ready func(*Node)) error {
	n, err := Start(ctx, o)
	if err != nil {
		return err
	}
	if ready != nil {
		ready(n)
	}
	select {
	case <-ctx.Done():
		n.logger.Info("stopping")
	case err = <-n.failed:
		n.logger.Error("stopping: the node cannot go on", "error", err)
		n.giveUp()
	}
	timeout := config.Millis(config.ShutdownTimeoutMs, n.live.values())
	stop, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return errors.Join(err, n.Stop(stop))
}

// fail ends the process: what the node relies on is gone.
func (n *Node) fail(err error) {
	n.failOnce.Do(func() {
		n.failed <- err
		n.abort(err)
	})
}

// giveUp ends every wait for what a node that failed can no longer promise: else the stop would wait for requests that
// nothing will ever answer.
func (n *Node) giveUp() {
	n.gaveUp.Store(true)
	n.controller.resign()
	if n.replicas != nil {
		n.replicas.Close()
	}
}

// Stop stops everything in order: no new requests, answers to those under way, then the logs, closed clean. What ctx
// does not leave time for is left to recovery.
func (n *Node) Stop(ctx context.Context) error {
	var errs []error
	keep := func(err error) { errs = append(errs, err) }
	n.serving.Store(false)
	n.thrift.stop()
	if n.registration != nil {
		n.registration.close()
		if n.registration.epoch.Load() >= 0 && !n.isSoleBroker(n.publisher.current()) && !n.gaveUp.Load() {
			n.registration.leave(ctx)
		}
		n.assignments.close()
		n.proposals.close()
	}
	n.background.close()
	if n.server != nil {
		keep(n.shutServer(ctx))
		n.broker.Close()
	}
	if n.groups != nil {
		n.groups.Close()
	}
	if n.controller != nil {
		n.controller.closed.Store(true)
	}
	if n.fetchers != nil {
		n.fetchers.Close()
	}
	if n.replicas != nil {
		n.replicas.Close()
	}
	if n.controller != nil {
		n.controller.resign()
	}
	if n.metadata != nil {
		n.metadata.handOver()
	}
	if n.control != nil {
		keep(n.control.Shutdown(ctx))
	}
	if n.ensemble != nil {
		n.ensemble.close()
	}
	if n.metadata != nil {
		keep(n.metadata.close())
	}
	if n.controller != nil {
		n.controller.resign() // also of what it was elected for meanwhile
	}
	if n.publisher != nil {
		n.publisher.close()
	}
	for _, dir := range n.dirs {
		keep(dir.Close(ctx))
	}
	if n.replicas != nil {
		n.replicas.Wait()
	}
	if n.admin != nil {
		keep(n.admin.Close(ctx))
	}
	n.complaints.Flush()
	return errors.Join(errs...)
}

// shutServer leaves half of the time to the logs: one client that does not read its answers must not cost a clean stop.
func (n *Node) shutServer(ctx context.Context) error {
	if until, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(until)/2)
		defer cancel()
	}
	return n.server.Shutdown(ctx)
}

// Addresses are where the node listens for clients, by listener; those of a controller that is no broker are for tools.
func (n *Node) Addresses() []string {
	var out []string
	for _, s := range []*server.Server{n.server, n.control} {
		if s == nil || s == n.control && n.server != nil {
			continue
		}
		for _, a := range s.Addresses() {
			out = append(out, a.String())
		}
	}
	return out
}

// ID is node.id.
func (n *Node) ID() int32 { return n.nodeID }

// ClusterID is the cluster's id.
func (n *Node) ClusterID() string { return n.clusterID }

// Admin is where metrics and health are served, or empty.
func (n *Node) Admin() string {
	if n.admin == nil {
		return ""
	}
	return n.admin.Address()
}

// Dirs are the data directories.
func (n *Node) Dirs() []string {
	var out []string
	for _, d := range n.dirs {
		out = append(out, d.Path())
	}
	return out
}

// join makes this node a member of the cluster.
func (n *Node) join(ctx context.Context) error {
	if n.isController() {
		n.background.start(n.controller.rebalance, n.controller.raiseFactors)
	}
	if n.isBroker() {
		if err := n.joinBrokers(ctx); err != nil {
			return err
		}
	}
	n.registerController(ctx)
	return nil
}

// joinBrokers makes this broker one of the cluster's. A broker that is fenced leads nothing.
func (n *Node) joinBrokers(ctx context.Context) error {
	if err := n.registration.join(ctx); err != nil {
		return err
	}
	n.publisher.await()
	// The first image may have brought listeners.
	if err := n.registration.amend(ctx); err != nil {
		return err
	}
	n.registration.start()
	n.assignments.start()
	n.proposals.start()
	return nil
}

func (n *Node) serve(context.Context) error {
	n.thrift.afterRecovery(n.dirs)
	if n.server != nil {
		n.server.Serve()
	}
	n.serving.Store(true)
	return nil
}

// The roles of process.roles.
const (
	roleBroker     = "broker"
	roleController = "controller"
)

func (n *Node) isBroker() bool     { return n.options.Values.HasRole(roleBroker) }
func (n *Node) isController() bool { return n.options.Values.HasRole(roleController) }

// act brings the broker in line with a new image. A controller alone has only settings to take from it.
func (n *Node) act(image *meta.Image, d meta.Delta) {
	for _, err := range n.live.update(image) {
		n.complaints.Say(slog.LevelWarn, err.Error(), "a dynamic config cannot take effect", "error", err)
	}
	if !n.isBroker() {
		n.settingsKnownOnce.Do(func() { close(n.settingsKnown) })
		return
	}
	limits, err := n.serverLimits(context.Background())
	if err != nil {
		n.logger.Warn("a dynamic config takes effect in part only", "error", err)
	}
	n.server.SetLimits(limits)
	v := n.live.values()
	n.replicas.SetThrottles(config.LeaderReplicationThrottledRate.Of(v), config.FollowerReplicationThrottledRate.Of(v))
	n.reconfigureDirs()
	n.setListeners()
	n.assignments.add(n.replicas.Apply(image, d))
	n.settingsKnownOnce.Do(func() { close(n.settingsKnown) })
	n.coordinate(d)
	n.thrift.acted(d)
}

// imageForSettings is the newest image that settings can be resolved by.
func (n *Node) imageForSettings() *meta.Image {
	if n.publisher == nil {
		return meta.Empty()
	}
	return n.publisher.next.Load()
}

func nodeName(id int32) string { return strconv.Itoa(int(id)) }

// previousEpoch is the broker epoch at the last clean stop, by which the controller tells an unclean restart (KIP-966):
// -1 when any directory was left uncleanly, unless only the process died and every completed write is still there.
func (n *Node) previousEpoch() int64 {
	epoch := int64(-1)
	for _, dir := range n.dirs {
		start := dir.Start()
		if !start.Clean && !start.SameBoot {
			return -1
		}
		epoch = max(epoch, start.BrokerEpoch)
	}
	return epoch
}

var errNoListener = fmt.Errorf("no listener is configured for clients")
