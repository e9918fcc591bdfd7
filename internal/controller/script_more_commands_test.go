package controller

import (
	"fmt"
	"slices"
	"strings"

	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func (c *cluster) partitions(a arguments, lines []string) {
	r := kmsg.NewPtrCreatePartitionsRequest()
	r.Version, r.TimeoutMillis, r.ValidateOnly = 3, int32(a.number("timeout", 1000)), a.has("validate")
	for _, line := range lines {
		fields := strings.Fields(line)
		t := kmsg.NewCreatePartitionsRequestTopic()
		one := parseArguments(fields[1:])
		t.Topic, t.Count = fields[0], int32(one.number("count", 0))
		for _, w := range one.words {
			t.Assignment = append(t.Assignment, kmsg.CreatePartitionsRequestTopicAssignment{Replicas: numbers(w)})
		}
		r.Topics = append(r.Topics, t)
	}
	var answer strings.Builder
	for _, t := range c.decide(r).(*kmsg.CreatePartitionsResponse).Topics {
		fmt.Fprintf(&answer, "%s %s\n", t.Topic, outcome(t.ErrorCode, t.ErrorMessage))
	}
	c.prepend("%s", answer.String())
}

var resourceTypes = map[string]kmsg.ConfigResourceType{
	"topic": 2, "broker": 4, "logger": 8, "metrics": 16, "group": 32, "unknown": 77,
}

var operations = map[string]kmsg.IncrementalAlterConfigOp{"set": 0, "delete": 1, "append": 2, "subtract": 3, "nonsense": 9}

// alter takes lines as: topic t set retention.ms=5 delete cleanup.policy
func (c *cluster) alter(a arguments, lines []string) {
	r := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r.Version, r.ValidateOnly = 1, a.has("validate")
	for _, line := range lines {
		fields := strings.Fields(line)
		resource := kmsg.NewIncrementalAlterConfigsRequestResource()
		resource.ResourceType, resource.ResourceName = resourceTypes[fields[0]], strings.Trim(fields[1], `"`)
		for i := 2; i < len(fields); i += 2 {
			name, value, set := strings.Cut(fields[i+1], "=")
			config := kmsg.IncrementalAlterConfigsRequestResourceConfig{Name: name, Op: operations[fields[i]]}
			if set {
				config.Value = nullable(value)
			}
			resource.Configs = append(resource.Configs, config)
		}
		r.Resources = append(r.Resources, resource)
	}
	var answer strings.Builder
	for _, x := range c.decide(r).(*kmsg.IncrementalAlterConfigsResponse).Resources {
		fmt.Fprintf(&answer, "%s %q %s\n", x.ResourceType, x.ResourceName, outcome(x.ErrorCode, x.ErrorMessage))
	}
	c.prepend("%s", answer.String())
}

func (c *cluster) replace(a arguments, lines []string) {
	r := kmsg.NewPtrAlterConfigsRequest()
	r.Version, r.ValidateOnly = 2, a.has("validate")
	for _, line := range lines {
		fields := strings.Fields(line)
		resource := kmsg.NewAlterConfigsRequestResource()
		resource.ResourceType, resource.ResourceName = resourceTypes[fields[0]], strings.Trim(fields[1], `"`)
		for _, f := range fields[2:] {
			name, value, _ := strings.Cut(f, "=")
			resource.Configs = append(resource.Configs, kmsg.AlterConfigsRequestResourceConfig{Name: name, Value: nullable(value)})
		}
		r.Resources = append(r.Resources, resource)
	}
	var answer strings.Builder
	for _, x := range c.decide(r).(*kmsg.AlterConfigsResponse).Resources {
		fmt.Fprintf(&answer, "%s %q %s\n", x.ResourceType, x.ResourceName, outcome(x.ErrorCode, x.ErrorMessage))
	}
	c.prepend("%s", answer.String())
}

// isr is a leader's proposal: isr broker=1 t-0 isr=1,2
func (c *cluster) isr(a arguments, _ []string) {
	name, index := splitPartition(a.words[0])
	r := kmsg.NewPtrAlterPartitionRequest()
	r.Version, r.BrokerID = int16(a.number("v", 3)), int32(a.number("broker", 0))
	if b, ok := c.state.Image.Broker(r.BrokerID); ok {
		r.BrokerEpoch = b.Epoch
	}
	r.BrokerEpoch = a.number("broker-epoch", r.BrokerEpoch)
	p := kmsg.NewAlterPartitionRequestTopicPartition()
	p.Partition = index
	if now, ok := c.state.Image.Partition(name, index); ok {
		p.LeaderEpoch, p.PartitionEpoch = now.LeaderEpoch, now.PartitionEpoch
	}
	p.LeaderEpoch = int32(a.number("leader-epoch", int64(p.LeaderEpoch)))
	p.PartitionEpoch = int32(a.number("partition-epoch", int64(p.PartitionEpoch)))
	p.LeaderRecoveryState = int8(a.number("recovery", 0))
	for _, id := range numbers(a.named["isr"]) {
		epoch := int64(-1)
		if b, ok := c.state.Image.Broker(id); ok && !a.has("no-epochs") {
			epoch = b.Epoch
		}
		if a.has("old-epochs") {
			epoch--
		}
		p.NewEpochISR = append(p.NewEpochISR, kmsg.AlterPartitionRequestTopicPartitionNewEpochISR{BrokerID: id, BrokerEpoch: epoch})
		p.NewISR = append(p.NewISR, id)
	}
	t := kmsg.NewAlterPartitionRequestTopic()
	t.TopicID = c.topicID(name)
	t.Partitions = append(t.Partitions, p)
	r.Topics = append(r.Topics, t)
	response := c.decide(r).(*kmsg.AlterPartitionResponse)
	if response.ErrorCode != 0 {
		c.prepend("%s\n", code(response.ErrorCode))
		return
	}
	x := response.Topics[0].Partitions[0]
	if x.ErrorCode != 0 {
		c.prepend("%s\n", code(x.ErrorCode))
		return
	}
	c.prepend("leader %d at %d, isr %v, recovery %d, partition epoch %d\n", x.LeaderID, x.LeaderEpoch, x.ISR, x.LeaderRecoveryState, x.PartitionEpoch)
}

func splitPartition(s string) (string, int32) {
	at := strings.LastIndex(s, "-")
	return s[:at], numbers(s[at+1:])[0]
}

func (c *cluster) elect(a arguments, _ []string) {
	r := kmsg.NewPtrElectLeadersRequest()
	r.Version, r.TimeoutMillis, r.ElectionType = 2, int32(a.number("timeout", 1000)), int8(a.number("type", 0))
	r.Topics = nil
	for _, w := range a.words {
		name, index := splitPartition(w)
		t := kmsg.NewElectLeadersRequestTopic()
		t.Topic, t.Partitions = name, []int32{index}
		r.Topics = append(r.Topics, t)
	}
	response := c.decide(r).(*kmsg.ElectLeadersResponse)
	var answer strings.Builder
	fmt.Fprintln(&answer, code(response.ErrorCode))
	for _, t := range response.Topics {
		for _, p := range t.Partitions {
			fmt.Fprintf(&answer, "%s-%d %s\n", t.Topic, p.Partition, outcome(p.ErrorCode, p.ErrorMessage))
		}
	}
	c.prepend("%s", answer.String())
}

// features takes lines as: metadata.version 33 [type=2]
func (c *cluster) features(a arguments, lines []string) {
	r := kmsg.NewPtrUpdateFeaturesRequest()
	r.Version, r.ValidateOnly = int16(a.number("v", 2)), a.has("validate")
	for _, line := range lines {
		fields := strings.Fields(line)
		u := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
		u.Feature, u.MaxVersionLevel = fields[0], int16(numbers(fields[1])[0])
		u.UpgradeType = int8(parseArguments(fields[2:]).number("type", 1))
		r.FeatureUpdates = append(r.FeatureUpdates, u)
	}
	response := c.decide(r).(*kmsg.UpdateFeaturesResponse)
	c.prepend("%s, %d results\n", outcome(response.ErrorCode, response.ErrorMessage), len(response.Results))
}

func (c *cluster) producerIDs(a arguments, _ []string) {
	r := kmsg.NewPtrAllocateProducerIDsRequest()
	r.BrokerID = int32(a.number("id", 0))
	if b, ok := c.state.Image.Broker(r.BrokerID); ok {
		r.BrokerEpoch = b.Epoch
	}
	r.BrokerEpoch = a.number("epoch", r.BrokerEpoch)
	response := c.decide(r).(*kmsg.AllocateProducerIDsResponse)
	c.prepend("%s from %d, %d of them\n", code(response.ErrorCode), response.ProducerIDStart, response.ProducerIDLen)
}

func (c *cluster) unregister(a arguments, _ []string) {
	r := kmsg.NewPtrUnregisterBrokerRequest()
	r.BrokerID = int32(a.number("id", 0))
	response := c.decide(r).(*kmsg.UnregisterBrokerResponse)
	c.prepend("%s\n", outcome(response.ErrorCode, response.ErrorMessage))
}

// registerController is a controller that starts: controller id=3000 incarnation=x port=9093
func (c *cluster) registerController(a arguments, _ []string) {
	r := kmsg.NewPtrControllerRegistrationRequest()
	r.ControllerID = int32(a.number("id", 0))
	r.IncarnationID = meta.ID{0: 'I', 15: a.named["incarnation"][0]}
	r.Listeners = []kmsg.ControllerRegistrationRequestListener{{Name: "CONTROLLER", Host: "h", Port: uint16(a.number("port", 9093))}}
	r.Features = []kmsg.ControllerRegistrationRequestFeature{
		{Name: meta.FeatureMetadataVersion, MinSupportedVersion: 7, MaxSupportedVersion: int16(a.number("level", 33))},
	}
	response := c.decide(r).(*kmsg.ControllerRegistrationResponse)
	c.prepend("%s\n", outcome(response.ErrorCode, response.ErrorMessage))
}

// assign is a broker saying where its replicas are: assign id=1 dir=a t-0 t-1
func (c *cluster) assign(a arguments, _ []string) {
	r := kmsg.NewPtrAssignReplicasToDirsRequest()
	r.BrokerID = int32(a.number("id", 0))
	if b, ok := c.state.Image.Broker(r.BrokerID); ok {
		r.BrokerEpoch = b.Epoch
	}
	d := kmsg.NewAssignReplicasToDirsRequestDirectory()
	d.ID = directory(a.named["dir"])
	for _, w := range a.words {
		name, index := splitPartition(w)
		t := kmsg.NewAssignReplicasToDirsRequestDirectoryTopic()
		t.TopicID = c.topicID(name)
		t.Partitions = []kmsg.AssignReplicasToDirsRequestDirectoryTopicPartition{{Partition: index}}
		d.Topics = append(d.Topics, t)
	}
	r.Directories = append(r.Directories, d)
	response := c.decide(r).(*kmsg.AssignReplicasToDirsResponse)
	var answer strings.Builder
	fmt.Fprintln(&answer, code(response.ErrorCode))
	for _, d := range response.Directories {
		for i, t := range d.Topics {
			fmt.Fprintf(&answer, "%s %s\n", a.words[i], code(t.Partitions[0].ErrorCode))
		}
	}
	c.prepend("%s", answer.String())
}

// record replays a record that somebody else wrote.
func (c *cluster) record(a arguments, _ []string) {
	switch a.words[0] {
	case "begin-transaction":
		c.append([]meta.Record{&meta.BeginTransactionRecord{}})
	case "reassign": // record reassign t-0 replicas=1,2,3 adding=3 removing=1
		name, index := splitPartition(a.words[1])
		r := meta.NewPartitionChange(c.topicID(name), index)
		r.Replicas = numbers(a.named["replicas"])
		r.AddingReplicas, r.RemovingReplicas = numbers(a.named["adding"]), numbers(a.named["removing"])
		r.Directories = make([]meta.ID, len(r.Replicas))
		c.append([]meta.Record{r})
	default:
		c.t.Fatalf("no record %q", a.words[0])
	}
}

func (c *cluster) show(a arguments, _ []string) {
	im := c.state.Image
	switch a.words[0] {
	case "topics":
		for t := range im.Topics() {
			for i, p := range t.Partitions {
				c.printf("%s-%d replicas %v isr %v elr %v last %v leader %d at %d, epoch %d, recovery %d\n", t.Name, i,
					p.Replicas, p.ISR, list(p.ELR), list(p.LastKnownELR), p.Leader, p.LeaderEpoch, p.PartitionEpoch, p.LeaderRecovery)
			}
		}
	case "brokers":
		for b := range im.Brokers() {
			c.printf("%d epoch %d fenced %t, in controlled shutdown %t\n", b.ID, b.Epoch, b.Fenced, b.InControlledShutdown)
		}
	case "controllers":
		for r := range im.Controllers() {
			c.printf("%d at port %d, %s %d\n", r.ID, r.Listeners[0].Port, r.Features[0].Name, r.Features[0].MaxSupportedVersion)
		}
	case "configs":
		for resource, values := range im.ConfigResources() {
			c.printf("%s %q %v\n", kmsg.ConfigResourceType(resource.Type), resource.Name, values)
		}
	case "features":
		c.printf("%v\n", im.Features())
	case "spread":
		c.showSpread()
	}
}

// showSpread says how many partitions each broker leads and holds.
func (c *cluster) showSpread() {
	leads, holds := make(map[int32]int), make(map[int32]int)
	for t := range c.state.Image.Topics() {
		for _, p := range t.Partitions {
			leads[p.Leader]++
			for _, id := range p.Replicas {
				holds[id]++
			}
		}
	}
	for b := range c.state.Image.Brokers() {
		c.printf("%d leads %d of %d\n", b.ID, leads[b.ID], holds[b.ID])
	}
}

func list(ids []int32) []int32 { return append([]int32{}, ids...) }

func (c *cluster) nameOf(id meta.ID) string {
	if t, ok := c.state.Image.TopicByID(id); ok {
		return t.Name
	}
	return string(id[0]) + fmt.Sprint(id[15])
}

// describe says of a record what matters.
func (c *cluster) describe(r meta.Record) string {
	var b strings.Builder
	b.WriteString(strings.TrimSuffix(r.Kind().String(), "Record"))
	say := func(format string, args ...any) { fmt.Fprintf(&b, " "+format, args...) }
	switch r := r.(type) {
	case *meta.TopicRecord:
		say("%s", r.Name)
	case *meta.RemoveTopicRecord:
		say("%s", c.nameOf(r.TopicID))
	case *meta.PartitionRecord:
		say("%s-%d replicas %v isr %v leader %d", c.nameOf(r.TopicID), r.PartitionID, r.Replicas, r.ISR, r.Leader)
	case *meta.PartitionChangeRecord:
		c.describeChange(say, r)
	case *meta.ConfigRecord:
		say("%s %q %s=%s", kmsg.ConfigResourceType(r.ResourceType), r.ResourceName, r.Name, orNull(r.Value))
	case *meta.FeatureLevelRecord:
		say("%s=%d", r.Name, r.FeatureLevel)
	case *meta.RegisterBrokerRecord:
		say("%d epoch %d fenced %t", r.BrokerID, r.BrokerEpoch, r.Fenced)
	case *meta.UnregisterBrokerRecord:
		say("%d", r.BrokerID)
	case *meta.RegisterControllerRecord:
		say("%d at %s port %d, %s %d", r.ControllerID, r.EndPoints[0].Name, r.EndPoints[0].Port, r.Features[0].Name, r.Features[0].MaxSupportedVersion)
	case *meta.BrokerRegistrationChangeRecord:
		say("%d fenced %d in controlled shutdown %d", r.BrokerID, r.Fenced, r.InControlledShutdown)
		if r.LogDirs != nil || r.CordonedLogDirs != nil {
			say("dirs %d cordoned %d", len(r.LogDirs), len(r.CordonedLogDirs))
		}
	case *meta.ProducerIDsRecord:
		say("next %d for %d", r.NextProducerID, r.BrokerID)
	case *meta.ClearElrRecord:
		say("%q", r.TopicName)
	}
	return b.String()
}

func orNull(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}

func (c *cluster) describeChange(say func(string, ...any), r *meta.PartitionChangeRecord) {
	say("%s-%d", c.nameOf(r.TopicID), r.PartitionID)
	if r.Leader != meta.NoLeaderChange {
		say("leader %d", r.Leader)
	}
	for _, f := range []struct {
		name string
		ids  []int32
	}{
		{"isr", r.ISR}, {"elr", r.EligibleLeaderReplicas}, {"last", r.LastKnownELR},
		{"replicas", r.Replicas}, {"adding", r.AddingReplicas}, {"removing", r.RemovingReplicas},
	} {
		if f.ids != nil {
			say("%s %v", f.name, f.ids)
		}
	}
	if r.LeaderRecoveryState != meta.RecoveryUnchanged {
		say("recovery %d", r.LeaderRecoveryState)
	}
	if r.Directories != nil {
		say("%d directories", len(slices.Compact(slices.Clone(r.Directories))))
	}
}
