package api

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/config"
	"github.com/barnabas-mq/barnabas/internal/meta"
)

// DescribeConfigs (key 32) describes all settings of topics, of this broker, of the cluster's default broker (an empty
// name), of groups, client metrics subscriptions and loggers: value, source, and what they would be otherwise.
//
// Versions 0-4. 0: a flag whether a value is the default, which Kafka leaves false for all, and so do we. 1: sources and synonyms (KIP-226). 3: types and documentation
// (KIP-569).
func (b *Broker) describeConfigs(r *Request) Result {
	request := r.Body.(*kmsg.DescribeConfigsRequest)
	response := request.ResponseKind().(*kmsg.DescribeConfigsResponse)
	for i := range request.Resources {
		wanted := &request.Resources[i]
		resource := kmsg.NewDescribeConfigsResponseResource()
		resource.ResourceType, resource.ResourceName = wanted.ResourceType, wanted.ResourceName
		resource.Configs = []kmsg.DescribeConfigsResponseResourceConfig{}
		described, err := b.describeResource(wanted.ResourceType, wanted.ResourceName)
		resource.ErrorMessage = kmsg.StringPtr("") // Kafka has no null here
		if err != nil {
			resource.ErrorCode = b.code(err, kerr.CoordinatorNotAvailable, "DescribeConfigs")
			if !errors.Is(err, kerr.UnknownTopicOrPartition) { // Kafka has no words for that
				resource.ErrorMessage = message(err)
			}
		}
		for _, d := range described {
			if len(wanted.ConfigNames) == 0 || slices.Contains(wanted.ConfigNames, d.Name) {
				resource.Configs = append(resource.Configs, describedConfig(d, request))
			}
		}
		response.Resources = append(response.Resources, resource)
	}
	return respond(response)
}

// sourceBrokerLogger is the origin of loggers' levels, which are no settings of the table.
const sourceBrokerLogger config.Origin = 6

func (b *Broker) describeResource(kind kmsg.ConfigResourceType, name string) ([]config.Description, error) {
	settings, im := b.Config(), b.Image()
	switch kind {
	case kmsg.ConfigResourceTypeTopic:
		if err := checkTopicName(name); err != nil {
			return nil, err
		}
		if _, exists := im.Topic(name); !exists {
			return nil, kerr.UnknownTopicOrPartition
		}
		return config.DescribeTopic(settings, im.Config(meta.ResourceTopic, name)), nil
	case kmsg.ConfigResourceTypeBroker:
		if name == "" {
			return config.DescribeBrokerDefault(settings), nil
		}
		if err := b.isThisBroker(name); err != nil {
			return nil, err
		}
		return config.DescribeBroker(settings), nil
	case kmsg.ConfigResourceTypeBrokerLogger:
		if err := b.isThisBroker(name); err != nil {
			return nil, err
		}
		return b.describeLoggers(), nil
	case kmsg.ConfigResourceTypeClientMetrics:
		if name == "" {
			return nil, fmt.Errorf("client metrics subscription has no name: %w", kerr.InvalidRequest)
		}
		return config.DescribeClientMetrics(settings, im.Config(meta.ResourceClientMetrics, name)), nil
	case kmsg.ConfigResourceTypeGroupConfig:
		if name == "" {
			return nil, fmt.Errorf("group has no name: %w", kerr.InvalidRequest)
		}
		return config.DescribeGroup(settings, im.Config(meta.ResourceGroup, name)), nil
	}
	return nil, fmt.Errorf("resource type %d is unknown: %w", kind, kerr.InvalidRequest)
}

// isThisBroker refuses names of other brokers: each describes and checks only itself.
func (b *Broker) isThisBroker(name string) error {
	id, err := strconv.ParseInt(name, 10, 32)
	switch {
	case err != nil:
		return fmt.Errorf("broker id %q is no number: %w", name, kerr.InvalidRequest)
	case int32(id) != b.NodeID:
		return fmt.Errorf("this is broker %d, not %s: ask that one: %w", b.NodeID, name, kerr.InvalidRequest)
	}
	return nil
}

func describedConfig(d config.Description, request *kmsg.DescribeConfigsRequest) kmsg.DescribeConfigsResponseResourceConfig {
	out := kmsg.NewDescribeConfigsResponseResourceConfig()
	out.Name, out.Value, out.ReadOnly, out.IsSensitive = d.Name, d.Value, d.ReadOnly, d.Sensitive
	out.Source, out.ConfigType = kmsg.ConfigSource(d.Origin), kmsg.ConfigType(d.Type)
	out.ConfigSynonyms = []kmsg.DescribeConfigsResponseResourceConfigConfigSynonym{}
	if d.Origin == sourceBrokerLogger || request.IncludeDocumentation && d.Doc != "" {
		out.Documentation = &d.Doc // Kafka has no null for a logger
	}
	if !request.IncludeSynonyms {
		return out
	}
	for _, s := range d.Synonyms {
		synonym := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
		synonym.Name, synonym.Value, synonym.Source = s.Name, s.Value, kmsg.ConfigSource(s.Origin)
		out.ConfigSynonyms = append(out.ConfigSynonyms, synonym)
	}
	return out
}

func (b *Broker) describeLoggers() []config.Description {
	if b.LogLevel == nil {
		return nil
	}
	level := nameOfLevel(b.LogLevel.Level())
	return []config.Description{{Name: rootLogger, Value: &level, Origin: sourceBrokerLogger}}
}
