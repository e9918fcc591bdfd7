package controller

import (
	"errors"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/barnabas-mq/barnabas/internal/config"
	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/twmb/franz-go/pkg/kerr"
)

// maxConfigValue is the longest value that Kafka keeps.
const maxConfigValue = math.MaxInt16

// configChange is what a request does to one config.
type configChange struct {
	name  string
	op    int8
	value *string
}

// The operations of IncrementalAlterConfigs (KIP-339).
const (
	opSet      = 0
	opDelete   = 1
	opAppend   = 2
	opSubtract = 3
)

// checkResource refuses requests about a resource that make no sense whatever
// the configs are.
func (d *decision) checkResource(a alteration) error {
	resource, changes := a.resource, a.changes
	var nulls []string
	names := make(map[string]bool, len(changes))
	for _, c := range changes {
		if names[c.name] {
			return refuse(kerr.InvalidRequest, "Error due to duplicate config keys")
		}
		names[c.name] = true
		if c.op != opDelete && c.value == nil {
			nulls = append(nulls, c.name)
		}
	}
	if len(nulls) > 0 {
		return refuse(kerr.InvalidRequest, "Null value not supported for : %s", strings.Join(nulls, ", "))
	}
	if resource.Type == meta.ResourceBrokerLogger && !a.whole {
		return refuse(kerr.InvalidRequest, "This broker's log level is not altered by loggers.")
	}
	switch resource.Type {
	case meta.ResourceTopic:
		if resource.Name == "" {
			return refuse(kerr.InvalidRequest, "Default topic resources are not allowed.")
		}
		return CheckTopicName(resource.Name)
	case meta.ResourceBroker:
		return d.checkBrokerName(resource.Name)
	case meta.ResourceClientMetrics:
		if resource.Name == "" {
			return refuse(kerr.InvalidRequest, "Subscription name can't be empty")
		}
	case meta.ResourceGroup:
		if resource.Name == "" {
			return refuse(kerr.InvalidRequest, "Default group resources are not allowed.")
		}
	default:
		return refuse(kerr.InvalidRequest, "Unknown resource type %d", resource.Type)
	}
	return nil
}

func (d *decision) checkBrokerName(name string) error {
	if name == "" {
		return nil // the default of all brokers
	}
	id, err := strconv.ParseInt(name, 10, 32)
	switch {
	case err != nil:
		return refuse(kerr.InvalidRequest, "Node id must be an integer, but it is: %s", name)
	case d.env.BrokerID >= 0 && int32(id) != d.env.BrokerID:
		return refuse(kerr.InvalidRequest, "Unexpected broker id, expected %d, but received %s", d.env.BrokerID, name)
	case id < 0:
		return refuse(kerr.InvalidRequest, "Invalid negative broker ID.")
	}
	return nil
}

// exists refuses configs of something that is not there.
func (d *decision) exists(resource meta.ConfigResource) error {
	switch resource.Type {
	case meta.ResourceTopic:
		if _, ok := d.im.Topic(resource.Name); !ok {
			return refuse(kerr.UnknownTopicOrPartition, "The topic '%s' does not exist.", resource.Name)
		}
	case meta.ResourceBroker:
		if resource.Name == "" {
			return nil
		}
		id, _ := strconv.ParseInt(resource.Name, 10, 32)
		if _, ok := d.im.Broker(int32(id)); !ok {
			return refuse(kerr.BrokerIDNotRegistered, "No node with id %d found.", id)
		}
	}
	return nil
}

// alter is the records that take a resource's configs to those values. Explicit
// are the names that the request says, in its order; the others follow.
func (d *decision) alter(resource meta.ConfigResource, explicit []string, values map[string]string) ([]meta.Record, error) {
	have := d.im.Config(resource.Type, resource.Name)
	names := slices.Clone(explicit)
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if _, kept := values[name]; !kept && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	var records []meta.Record
	for _, name := range names {
		r := &meta.ConfigRecord{ResourceType: resource.Type, ResourceName: resource.Name, Name: name}
		if value, set := values[name]; set {
			r.Value = &value
		}
		was, had := have[name]
		same := had == (r.Value != nil) && (r.Value == nil || *r.Value == was)
		// A broker's config is written again even if it is the same: the broker
		// then reads its files again (KAFKA-14136).
		if same && resource.Type != meta.ResourceBroker {
			continue
		}
		if err := d.changeRefused(resource, r); err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	if err := d.checkConfigs(resource, values); err != nil {
		return nil, err
	}
	return records, d.exists(resource)
}

// changeRefused refuses changes that are wrong whatever else is set.
func (d *decision) changeRefused(resource meta.ConfigResource, r *meta.ConfigRecord) error {
	broker := resource.Type == meta.ResourceBroker
	switch {
	case broker && r.Name == configMinInsyncReplicas && elrEnabled(d.im) && resource.Name != "":
		return refuse(kerr.InvalidConfig, "Broker-level min.insync.replicas cannot be altered while ELR is enabled.")
	case broker && r.Name == configMinInsyncReplicas && elrEnabled(d.im) && r.Value == nil:
		return refuse(kerr.InvalidConfig, "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.")
	case broker && r.Name == configCordonedLogDirs && d.im.MetadataVersion() < meta.Level43IV0:
		return refuse(kerr.InvalidConfig,
			"The cordoned.log.dirs configuration value cannot be set because it requires metadata.version >= 4.3-IV0")
	case r.Value != nil && len(*r.Value) > maxConfigValue:
		return refuse(kerr.InvalidConfig,
			"The configuration value cannot be added because it exceeds the maximum value size of %d bytes.", maxConfigValue)
	}
	return nil
}

// checkConfigs judges the configs that a resource would have. What it has
// already is not judged again: an older version may have known it.
func (d *decision) checkConfigs(resource meta.ConfigResource, values map[string]string) error {
	have := d.im.Config(resource.Type, resource.Name)
	judged := maps.Clone(values)
	if resource.Type == meta.ResourceTopic && d.env.CheckTopicConfig != nil {
		for _, name := range slices.Sorted(maps.Keys(values)) {
			err := d.env.CheckTopicConfig(name, values[name])
			was, had := have[name]
			switch {
			case err == nil:
			case had && was == values[name]:
				delete(judged, name)
			default:
				return configRefused(resource, err)
			}
		}
	}
	if d.env.CheckConfigs == nil {
		return nil
	}
	return configRefused(resource, d.env.CheckConfigs(resource, judged))
}

// configRefused gives an error of the configs its protocol code: its own, if it
// has one. Kafka's brokers call a bad broker config an invalid request
// (KAFKA-13609).
func configRefused(resource meta.ConfigResource, err error) error {
	if err == nil {
		return nil
	}
	var code *kerr.Error
	var value *config.ValueError
	switch {
	case errors.As(err, &code):
	case errors.As(err, &value) && value.InvalidRequest:
		code = kerr.InvalidRequest
	case resource.Type == meta.ResourceBroker:
		code = kerr.InvalidRequest
	default:
		code = kerr.InvalidConfig
	}
	return refuse(code, "%s", err.Error())
}

// clearELR adds what has to follow a change of min.insync.replicas: who was
// eligible under the one may not be under the other (KIP-966).
func (d *decision) clearELR() {
	if !elrEnabled(d.im) {
		return
	}
	for _, r := range slices.Clone(d.records) {
		c, ok := r.(*meta.ConfigRecord)
		switch {
		case !ok || c.Name != configMinInsyncReplicas:
		case c.ResourceType == meta.ResourceTopic:
			d.add(&meta.ClearElrRecord{TopicName: c.ResourceName})
		default:
			d.add(&meta.ClearElrRecord{})
		}
	}
}
