package controller

import (
	"testing"
	"time"

	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestABornClusterTakesABrokerAndMakesATopic(t *testing.T) {
	env := Env{
		Now: time.Unix(1000, 0), NewID: func() meta.ID { return meta.ID{1, 2, 3} },
		ClusterID: "c", BrokerID: -1, SessionTimeout: time.Second, DefaultPartitions: 3, DefaultReplicationFactor: 1, MinInsyncReplicas: 1,
	}
	s := NewState(meta.Empty())
	s = s.Replay(InitialRecords(s.Image, env)...)

	register := kmsg.NewPtrBrokerRegistrationRequest()
	register.Version, register.BrokerID, register.ClusterID = 3, 1, "c"
	register.LogDirs = [][16]byte{{9}}
	register.IncarnationID = [16]byte{7}
	register.Listeners = []kmsg.BrokerRegistrationRequestListener{{Name: "PLAINTEXT", Host: "h", Port: 9092}}
	register.Features = []kmsg.BrokerRegistrationRequestFeature{{Name: "metadata.version", MinSupportedVersion: 7, MaxSupportedVersion: 33}}
	d := Decide(s, register, env)
	registered := d.Response.(*kmsg.BrokerRegistrationResponse)
	if registered.ErrorCode != 0 {
		t.Fatalf("registration: error %d", registered.ErrorCode)
	}
	s = State{Image: s.Image.Replay(d.Records...), Soft: d.Soft}

	beat := kmsg.NewPtrBrokerHeartbeatRequest()
	beat.BrokerID, beat.BrokerEpoch, beat.CurrentMetadataOffset = 1, registered.BrokerEpoch, 100
	d = Decide(s, beat, env)
	if r := d.Response.(*kmsg.BrokerHeartbeatResponse); r.ErrorCode != 0 || r.IsFenced {
		t.Fatalf("heartbeat: %+v", r)
	}
	s = State{Image: s.Image.Replay(d.Records...), Soft: d.Soft}

	create := kmsg.NewPtrCreateTopicsRequest()
	create.Version, create.TimeoutMillis = 7, 1000
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "events", -1, -1
	create.Topics = append(create.Topics, topic)
	d = Decide(s, create, env)
	if r := d.Response.(*kmsg.CreateTopicsResponse).Topics[0]; r.ErrorCode != 0 || r.NumPartitions != 3 {
		t.Fatalf("create: %+v", r)
	}
	s = State{Image: s.Image.Replay(d.Records...), Soft: d.Soft}
	if p, ok := s.Image.Partition("events", 2); !ok || p.Leader != 1 {
		t.Fatalf("the partition is %+v", p)
	}
}
