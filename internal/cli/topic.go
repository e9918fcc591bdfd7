package cli

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

func (a *app) topicCommand() *cobra.Command {
	return parent("topic", "Create, list, describe, alter and delete topics",
		a.topicCreateCommand(), a.topicListCommand(), a.topicDescribeCommand(), a.topicAlterCommand(), a.topicDeleteCommand())
}

// listTopics returns the topics of the cluster, sorted, internal ones on demand.
func listTopics(ctx context.Context, admin *admin, internal bool) ([]kadm.TopicDetail, error) {
	list := admin.ListTopics
	if internal {
		list = admin.ListTopicsWithInternal
	}
	topics, err := list(ctx)
	if err != nil {
		return nil, err
	}
	return topics.Sorted(), nil
}

// topicNames completes the names of topics.
func (a *app) topicNames(c *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	var names []string
	_ = a.admin(c.Context(), func(ctx context.Context, admin *admin) error {
		topics, err := listTopics(ctx, admin, strings.HasPrefix(prefix, "_"))
		for _, topic := range topics {
			if strings.HasPrefix(topic.Topic, prefix) && !slices.Contains(args, topic.Topic) {
				names = append(names, topic.Topic)
			}
		}
		return err
	})
	return names, cobra.ShellCompDirectiveNoFileComp
}

// settingsOf parses name=value pairs.
func settingsOf(flag string, pairs []string) (map[string]*string, error) {
	settings := make(map[string]*string, len(pairs))
	for _, pair := range pairs {
		name, value, found := strings.Cut(pair, "=")
		if !found || name == "" {
			return nil, usage("--%s %q does not have the form name=value", flag, pair)
		}
		settings[name] = &value
	}
	return settings, nil
}

// idText writes a topic id as Kafka does.
func idText(id [16]byte) string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// brokerError is an error that the broker explained in its own words.
type brokerError struct {
	message string
	err     error
}

func (e *brokerError) Error() string {
	name := e.err.Error()
	if known, is := errors.AsType[*kerr.Error](e.err); is {
		name = known.Message
	}
	return strings.TrimSuffix(e.message, ".") + " (" + name + ")"
}

func (e *brokerError) Unwrap() error { return e.err }

// withMessage adds the broker's words to an error.
func withMessage(err error, message string) error {
	if err == nil || message == "" {
		return err
	}
	return &brokerError{message, err}
}
