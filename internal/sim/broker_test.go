package sim

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/controller"
	"github.com/barnabas-mq/barnabas/internal/meta"
)

const (
	heartbeatEvery = 500
	fetchEvery     = 30
	lagMillis      = 1_000
	minISR         = 2
)

// broker is one life of a host's broker.
type broker struct {
	h           *host
	incarnation meta.ID
	epoch       int64 // -1: not registered
	image       *meta.Image
	offset      int64 // of the metadata that it has acted on
	replicas    map[place]*replica
	leaves      bool // it wants to shut down
	waiting     bool // for the next look at the metadata
}

// place is a partition.
type place struct {
	topic meta.ID
	index int32
}

func newBroker(h *host) *broker {
	b := &broker{h: h, epoch: -1, image: meta.Empty(), replicas: map[place]*replica{}}
	b.incarnation = meta.ID{0: 'I', 13: byte(h.life >> 8), 14: byte(h.life), 15: byte(h.id)}
	h.after(1+h.w.upTo(50), b.register)
	h.after(heartbeatEvery, b.beat)
	h.after(1+h.w.upTo(fetchEvery), b.fetch)
	h.after(joinEvery, h.join)
	b.published()
	return b
}

func (b *broker) register() {
	if b.epoch >= 0 {
		return
	}
	r := kmsg.NewPtrBrokerRegistrationRequest()
	r.Version, r.BrokerID, r.ClusterID, r.IncarnationID = 3, b.h.id, "cluster", b.incarnation
	r.PreviousBrokerEpoch, r.LogDirs = b.h.lastEpoch, [][16]byte{b.h.directory}
	r.Listeners = []kmsg.BrokerRegistrationRequestListener{{Name: "PLAINTEXT", Host: "h", Port: 9092}}
	r.Features = []kmsg.BrokerRegistrationRequestFeature{
		{Name: meta.FeatureMetadataVersion, MinSupportedVersion: 7, MaxSupportedVersion: meta.LatestMetadataVersion},
		{Name: controller.FeatureELR, MaxSupportedVersion: 1},
		{Name: meta.FeatureKRaftVersion, MaxSupportedVersion: 1},
	}
	b.h.ask(r, func(answer kmsg.Response) {
		if a := answer.(*kmsg.BrokerRegistrationResponse); a.ErrorCode == 0 && b.epoch < 0 {
			b.epoch, b.h.lastEpoch = a.BrokerEpoch, a.BrokerEpoch
			b.beatOnce()
		}
	})
	b.h.after(200+b.h.w.upTo(100), b.register)
}

func (b *broker) beat() {
	b.beatOnce()
	b.h.after(heartbeatEvery, b.beat)
}

func (b *broker) beatOnce() {
	if b.epoch < 0 {
		return
	}
	r := kmsg.NewPtrBrokerHeartbeatRequest()
	r.Version, r.BrokerID, r.BrokerEpoch = 1, b.h.id, b.epoch
	r.CurrentMetadataOffset, r.WantShutdown = b.offset-1, b.leaves
	b.h.ask(r, func(answer kmsg.Response) {
		a := answer.(*kmsg.BrokerHeartbeatResponse)
		if a.ErrorCode == kerr.StaleBrokerEpoch.Code && r.BrokerEpoch == b.epoch {
			b.epoch = -1 // what an earlier process sent came late, and took its place
			b.register()
		}
		if a.ErrorCode == 0 && a.ShouldShutdown && b.leaves {
			b.h.w.say("host %d leaves", b.h.id)
			b.h.kill()
			if b.h.w.calm { // nobody else starts it
				b.h.w.after(300, b.h.start)
			}
		}
	})
}

// published has the broker look at the metadata in a moment.
func (b *broker) published() {
	if b.waiting {
		return
	}
	b.waiting = true
	delay := b.h.w.upTo(3)
	if b.h.w.chance(3) && !b.h.w.calm {
		delay = b.h.w.upTo(500)
	}
	b.h.after(delay, func() {
		b.waiting = false
		b.learn()
	})
}

// learn acts on the metadata that is committed, once the broker finds itself in it.
func (b *broker) learn() {
	b.image, b.offset = b.h.image, b.h.offset
	me, ok := b.image.Broker(b.h.id)
	if !ok || me.Incarnation != b.incarnation {
		return
	}
	for t := range b.image.Topics() {
		for i, p := range t.Partitions {
			at := place{t.ID, int32(i)}
			r := b.replicas[at]
			if r == nil {
				r = &replica{b: b, at: at, epoch: -1, log: b.h.logAt(at)}
				b.replicas[at] = r
			}
			r.learn(p)
			b.placed(at, p)
		}
	}
}

// placed says where a replica lies if the controller has not heard of this disk.
func (b *broker) placed(at place, p *meta.Partition) {
	i := slices.Index(p.Replicas, b.h.id)
	if i < 0 || p.Directories[i] == b.h.directory || b.epoch < 0 {
		return
	}
	r := kmsg.NewPtrAssignReplicasToDirsRequest()
	r.BrokerID, r.BrokerEpoch = b.h.id, b.epoch
	r.Directories = []kmsg.AssignReplicasToDirsRequestDirectory{{ID: b.h.directory, Topics: []kmsg.AssignReplicasToDirsRequestDirectoryTopic{{
		TopicID: at.topic, Partitions: []kmsg.AssignReplicasToDirsRequestDirectoryTopicPartition{{Partition: at.index}},
	}}}}
	b.h.ask(r, func(kmsg.Response) {})
	b.h.after(500, b.published) // and look again
}

// fetch asks the leaders of what is followed here, and looks who lags behind in what is led here.
func (b *broker) fetch() {
	b.h.after(fetchEvery, b.fetch)
	for _, r := range sorted(b.replicas) {
		switch {
		case r.leads:
			r.lag()
		case r.leader >= 1 && r.leader != b.h.id:
			r.ask(b.h.w.hosts[r.leader-1])
		}
		if b.h.w.chance(10) {
			r.log.synced = len(r.log.records)
		}
	}
}

// client makes topics and writes to whoever it takes for the leader.
func (w *world) client() {
	if w.calm && w.truth.written > 0 {
		return
	}
	pause := 20 + w.upTo(20)
	if w.plan.busy {
		pause = 2
	}
	w.after(pause, w.client)
	h := w.hosts[w.random.IntN(hosts)]
	if !h.up {
		return
	}
	if h.image.NumTopics() < 2 && w.chance(20) {
		h.run(h.createTopic)
		return
	}
	for _, r := range sorted(h.broker.replicas) {
		if r.leads && w.chance(60) {
			h.run(r.write)
		}
	}
}

func (h *host) createTopic() {
	r := kmsg.NewPtrCreateTopicsRequest()
	r.Version, r.TimeoutMillis = 7, 1_000
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = []string{"orders", "payments"}[h.w.random.IntN(2)], 2, hosts
	r.Topics = append(r.Topics, t)
	h.ask(r, func(answer kmsg.Response) {
		if got := answer.(*kmsg.CreateTopicsResponse).Topics[0]; got.ErrorCode == 0 {
			h.w.truth.created(got.TopicID)
		}
	})
}
