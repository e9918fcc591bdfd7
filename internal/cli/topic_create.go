package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

type topicCreateFlags struct {
	partitions   int32
	factor       int16
	configs      []string
	assignment   string
	ifNotExists  bool
	validateOnly bool
}

type createdTopic struct {
	Topic             string `json:"topic"`
	ID                string `json:"id,omitempty"`
	Partitions        int32  `json:"partitions"`
	ReplicationFactor int16  `json:"replication_factor"`
	Existed           bool   `json:"existed"`
}

func (a *app) topicCreateCommand() *cobra.Command {
	var f topicCreateFlags
	c := &cobra.Command{
		Use:   "create TOPIC...",
		Short: "Create topics",
		Example: `  barnabas topic create words
  barnabas topic create words --partitions 6 --config retention.ms=86400000
  barnabas topic create accounts --config cleanup.policy=compact --if-not-exists
  barnabas topic create words --replica-assignment 1:2,2:3   # two partitions, each on two brokers`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			request, err := f.request(args)
			if err != nil {
				return err
			}
			return a.admin(c.Context(), func(ctx context.Context, admin *admin) error { return a.createTopics(ctx, admin, request, f) })
		},
	}
	flags := c.Flags()
	flags.Int32VarP(&f.partitions, "partitions", "p", -1, "`number` of partitions; the broker's num.partitions if not given")
	flags.Int16VarP(&f.factor, "replication-factor", "r", -1, "`number` of replicas; the broker's default.replication.factor if not given")
	flags.StringArrayVarP(&f.configs, "config", "c", nil, "a setting of the topic, as `name=value`; may be repeated")
	flags.StringVar(&f.assignment, "replica-assignment", "", "`brokers` of each partition: 1:2,2:3")
	flags.BoolVar(&f.ifNotExists, "if-not-exists", false, "take topics that exist as they are")
	flags.BoolVar(&f.validateOnly, "validate-only", false, "only check whether it could be done")
	return c
}

func (a *app) createTopics(ctx context.Context, admin *admin, request *kmsg.CreateTopicsRequest, f topicCreateFlags) error {
	response, err := request.RequestWith(ctx, admin.client)
	if err != nil {
		return err
	}
	created := make([]createdTopic, 0, len(request.Topics))
	var problems []error
	for _, t := range response.Topics {
		topic := createdTopic{Topic: t.Topic, Partitions: t.NumPartitions, ReplicationFactor: t.ReplicationFactor}
		err := kerr.ErrorForCode(t.ErrorCode)
		switch {
		case errors.Is(err, kerr.TopicAlreadyExists) && f.ifNotExists:
			topic.Existed = true
		case err != nil:
			problems = append(problems, fmt.Errorf("topic %s: %w", t.Topic, withMessage(err, text(t.ErrorMessage))))
			continue
		case !f.validateOnly:
			topic.ID = idText(t.TopicID)
		}
		created = append(created, topic)
	}
	return errors.Join(a.printCreated(created, f), errors.Join(problems...))
}

func (a *app) printCreated(created []createdTopic, f topicCreateFlags) error {
	if a.format != "json" && len(created) == 0 {
		return nil
	}
	return a.print(created, func(t *table) {
		for _, topic := range created {
			switch {
			case topic.Existed:
				t.line("topic %s exists", topic.Topic)
			case f.validateOnly:
				t.line("topic %s could be created", topic.Topic)
			default:
				t.line("topic %s created with %s", topic.Topic, plural(int64(topic.Partitions), "partition"))
			}
		}
	})
}

func (f topicCreateFlags) request(names []string) (*kmsg.CreateTopicsRequest, error) {
	settings, err := settingsOf("config", f.configs)
	if err != nil {
		return nil, err
	}
	assignment, err := parseAssignment(f.assignment)
	if err != nil {
		return nil, err
	}
	request := kmsg.NewPtrCreateTopicsRequest()
	request.TimeoutMillis = int32(requestTimeout.Milliseconds())
	request.ValidateOnly = f.validateOnly
	for _, name := range names {
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, f.partitions, f.factor
		topic.ReplicaAssignment = assignment
		for setting, value := range settings {
			config := kmsg.NewCreateTopicsRequestTopicConfig()
			config.Name, config.Value = setting, value
			topic.Configs = append(topic.Configs, config)
		}
		request.Topics = append(request.Topics, topic)
	}
	return request, nil
}

// parseAssignment reads brokers between colons, partitions between commas.
func parseAssignment(text string) ([]kmsg.CreateTopicsRequestTopicReplicaAssignment, error) {
	if text == "" {
		return nil, nil
	}
	var assignment []kmsg.CreateTopicsRequestTopicReplicaAssignment
	for i, partition := range strings.Split(text, ",") {
		replicas := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
		replicas.Partition = int32(i)
		for broker := range strings.SplitSeq(partition, ":") {
			id, err := strconv.ParseInt(broker, 10, 32)
			if err != nil {
				return nil, usage("--replica-assignment %q: %q is no broker's number", text, broker)
			}
			replicas.Replicas = append(replicas.Replicas, int32(id))
		}
		assignment = append(assignment, replicas)
	}
	return assignment, nil
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
