package controller

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// commands are what scripts can say.
var commands = map[string]func(c *cluster, a arguments, lines []string){
	"born":         (*cluster).born,
	"env":          (*cluster).setEnv,
	"register":     (*cluster).register,
	"heartbeat":    (*cluster).heartbeat,
	"brokers":      (*cluster).brokers,
	"wait":         (*cluster).wait,
	"tick":         (*cluster).tick,
	"fence":        (*cluster).fenceNow,
	"balance":      (*cluster).balance,
	"raise":        (*cluster).raise,
	"takeover":     (*cluster).takeover,
	"create":       (*cluster).create,
	"delete":       (*cluster).delete,
	"partitions":   (*cluster).partitions,
	"alter":        (*cluster).alter,
	"replace":      (*cluster).replace,
	"isr":          (*cluster).isr,
	"elect":        (*cluster).elect,
	"features":     (*cluster).features,
	"producer-ids": (*cluster).producerIDs,
	"unregister":   (*cluster).unregister,
	"assign":       (*cluster).assign,
	"controller":   (*cluster).registerController,
	"reassign":     (*cluster).reassign,
	"reassigning":  (*cluster).reassigning,
	"record":       (*cluster).record,
	"show":         (*cluster).show,
}

func (c *cluster) born(a arguments, _ []string) {
	c.env.MetadataVersion = int16(a.number("level", 0))
	if a.has("no-elr") {
		c.env.Finalize = nil
	}
	c.append(InitialRecords(c.state.Image, c.env))
}

func (c *cluster) setEnv(a arguments, _ []string) {
	c.env.BrokerID = int32(a.number("broker", int64(c.env.BrokerID)))
	c.env.DefaultPartitions = int32(a.number("partitions", int64(c.env.DefaultPartitions)))
	c.env.DefaultReplicationFactor = int16(a.number("factor", int64(c.env.DefaultReplicationFactor)))
	c.env.UncleanLeaderElection = a.has("unclean")
	c.env.DeleteTopicDisabled = a.has("no-delete")
	if s, ok := a.named["incarnation"]; ok {
		c.env.Incarnation = meta.ID{0: 'I', 15: s[0]}
	}
}

func (c *cluster) register(a arguments, _ []string) {
	id := int32(a.number("id", 0))
	r := kmsg.NewPtrBrokerRegistrationRequest()
	r.Version, r.BrokerID, r.ClusterID = 3, id, "cluster"
	if s, ok := a.named["cluster"]; ok {
		r.ClusterID = s
	}
	incarnation := byte('0' + id)
	if s, ok := a.named["incarnation"]; ok {
		incarnation = s[0]
	}
	r.IncarnationID = meta.ID{0: 'I', 15: incarnation}
	r.PreviousBrokerEpoch = -1
	if b, ok := c.state.Image.Broker(id); ok && a.has("clean") {
		r.PreviousBrokerEpoch = b.Epoch
	}
	dirs, given := a.named["dirs"]
	if !given {
		dirs = string(rune('a' + id))
	}
	r.LogDirs = directoriesOf(dirs)
	if rack, ok := a.named["rack"]; ok {
		r.Rack = &rack
	}
	r.Listeners = []kmsg.BrokerRegistrationRequestListener{{Name: "PLAINTEXT", Host: "h", Port: 9092}}
	r.Features = []kmsg.BrokerRegistrationRequestFeature{
		{Name: meta.FeatureMetadataVersion, MinSupportedVersion: 7, MaxSupportedVersion: int16(a.number("level", 33))},
		{Name: FeatureELR, MaxSupportedVersion: 1}, {Name: "group.version", MaxSupportedVersion: 1},
		{Name: meta.FeatureKRaftVersion, MaxSupportedVersion: 1},
	}
	response := c.decide(r).(*kmsg.BrokerRegistrationResponse)
	c.prepend("%s epoch %d\n", code(response.ErrorCode), response.BrokerEpoch)
}

// prepend puts an answer above the records that it led to.
func (c *cluster) prepend(format string, args ...any) {
	rest := c.out.String()
	c.out.Reset()
	c.printf(format, args...)
	c.out.WriteString(rest)
}

func code(n int16) string {
	if n == 0 {
		return "NONE"
	}
	return kerr.ErrorForCode(n).(*kerr.Error).Message
}

func outcome(n int16, message *string) string {
	if message == nil {
		return code(n)
	}
	return code(n) + ": " + *message
}

func (c *cluster) heartbeat(a arguments, _ []string) {
	r := kmsg.NewPtrBrokerHeartbeatRequest()
	r.Version, r.BrokerID = 2, int32(a.number("id", 0))
	if b, ok := c.state.Image.Broker(r.BrokerID); ok {
		r.BrokerEpoch = b.Epoch
	}
	r.BrokerEpoch = a.number("epoch", r.BrokerEpoch)
	r.CurrentMetadataOffset = a.number("offset", c.offset-1)
	r.WantFence, r.WantShutdown = a.has("fence"), a.has("shutdown")
	r.OfflineLogDirs = directoriesOf(a.named["offline"])
	if s, ok := a.named["cordoned"]; ok {
		r.CordonedLogDirs = append([][16]byte{}, directoriesOf(s)...)
	}
	response := c.decide(r).(*kmsg.BrokerHeartbeatResponse)
	c.prepend("%s caught up %t, fenced %t, should shut down %t\n",
		code(response.ErrorCode), response.IsCaughtUp, response.IsFenced, response.ShouldShutdown)
}

// brokers registers and unfences brokers with no word about it.
func (c *cluster) brokers(a arguments, _ []string) {
	racks := strings.Split(a.named["racks"], ",")
	for i, id := range numbers(a.words[0]) {
		one := arguments{named: map[string]string{"id": fmt.Sprint(id)}}
		if a.named["racks"] != "" {
			one.named["rack"] = racks[i%len(racks)]
		}
		c.register(one, nil)
		c.heartbeat(one, nil)
	}
	c.out.Reset()
}

func (c *cluster) wait(a arguments, _ []string) {
	d, err := time.ParseDuration(a.words[0])
	if err != nil {
		panic(err)
	}
	c.env.Now = c.env.Now.Add(d)
}

func (c *cluster) tick(arguments, []string) {
	c.env.NextOffset = c.offset
	d, next := Tick(c.state, c.env)
	c.apply(d)
	if next.IsZero() {
		c.prepend("nothing more to wait for\n")
		return
	}
	c.prepend("again in %s\n", next.Sub(c.env.Now))
}

func (c *cluster) fenceNow(a arguments, _ []string) {
	id := int32(a.number("id", 0))
	b, _ := c.state.Image.Broker(id)
	c.apply(Fence(c.state, id, a.number("epoch", b.Epoch), c.env))
}

func (c *cluster) balance(arguments, []string) {
	d, more := Balance(c.state, c.env)
	c.apply(d)
	c.prepend("more %t\n", more)
}

// raise asks for factors of topics by name.
func (c *cluster) raise(a arguments, _ []string) {
	factors := make(map[string]int)
	for name := range a.named {
		factors[name] = int(a.number(name, 0))
	}
	d, more := RaiseFactors(c.state, c.env, factors)
	c.apply(d)
	c.prepend("more %t\n", more)
}

// takeover is another controller becoming active with the same image.
func (c *cluster) takeover(arguments, []string) {
	c.state = NewState(c.state.Image)
	c.append(InitialRecords(c.state.Image, c.env))
}

func (c *cluster) create(a arguments, lines []string) {
	r := kmsg.NewPtrCreateTopicsRequest()
	r.Version, r.TimeoutMillis = int16(a.number("v", 7)), int32(a.number("timeout", 1000))
	r.ValidateOnly = a.has("validate")
	for _, line := range lines {
		fields := strings.Fields(line)
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic = strings.Trim(fields[0], `"`)
		one := parseArguments(fields[1:])
		t.NumPartitions, t.ReplicationFactor = int32(one.number("partitions", -1)), int16(one.number("factor", -1))
		for _, w := range one.words { // an assignment as 0:1,2
			index, replicas, _ := strings.Cut(w, ":")
			t.ReplicaAssignment = append(t.ReplicaAssignment, kmsg.CreateTopicsRequestTopicReplicaAssignment{
				Partition: numbers(index)[0], Replicas: numbers(replicas),
			})
		}
		for _, name := range slices.Sorted(maps.Keys(one.named)) {
			if name != "partitions" && name != "factor" {
				t.Configs = append(t.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: name, Value: nullable(one.named[name])})
			}
		}
		r.Topics = append(r.Topics, t)
	}
	var answer strings.Builder
	for _, t := range c.decide(r).(*kmsg.CreateTopicsResponse).Topics {
		fmt.Fprintf(&answer, "%q %s", t.Topic, outcome(t.ErrorCode, t.ErrorMessage))
		if t.ErrorCode == 0 {
			fmt.Fprintf(&answer, ", partitions %d, factor %d", t.NumPartitions, t.ReplicationFactor)
			for _, config := range t.Configs {
				fmt.Fprintf(&answer, ", %s=%s (source %d)", config.Name, *config.Value, config.Source)
			}
		}
		answer.WriteString("\n")
	}
	c.prepend("%s", answer.String())
}

func nullable(s string) *string {
	if s == "null" {
		return nil
	}
	return &s
}

func (c *cluster) delete(a arguments, lines []string) {
	r := kmsg.NewPtrDeleteTopicsRequest()
	r.Version, r.TimeoutMillis = int16(a.number("v", 6)), int32(a.number("timeout", 1000))
	for _, line := range lines {
		one := parseArguments(strings.Fields(line))
		t := kmsg.NewDeleteTopicsRequestTopic()
		if name, ok := one.named["name"]; ok {
			t.Topic = &name
			r.TopicNames = append(r.TopicNames, name)
		}
		if of, ok := one.named["id-of"]; ok {
			t.TopicID = c.topicID(of)
		}
		r.Topics = append(r.Topics, t)
	}
	var answer strings.Builder
	for _, t := range c.decide(r).(*kmsg.DeleteTopicsResponse).Topics {
		name := "null"
		if t.Topic != nil {
			name = *t.Topic
		}
		fmt.Fprintf(&answer, "%s %s\n", name, outcome(t.ErrorCode, t.ErrorMessage))
	}
	c.prepend("%s", answer.String())
}

// topicID is the id of a topic, or one that no topic has.
func (c *cluster) topicID(name string) meta.ID {
	if t, ok := c.state.Image.Topic(name); ok {
		return t.ID
	}
	return meta.ID{0: 'N'}
}
