package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/barnabas-mq/barnabas/internal/rebalance"
)

// throttled are the replicas that moves are about, by topic, as partition:broker: those that give, and those that come.
type throttled struct{ from, to map[string][]string }

// The settings of Kafka's throttles (KIP-73).
const (
	leaderReplicas   = "leader.replication.throttled.replicas"
	followerReplicas = "follower.replication.throttled.replicas"
	leaderRate       = "leader.replication.throttled.rate"
	followerRate     = "follower.replication.throttled.rate"
)

func throttleOf(moves []rebalance.Move) throttled {
	t := throttled{make(map[string][]string), make(map[string][]string)}
	for _, m := range moves {
		for _, id := range m.Replicas {
			t.from[m.Topic] = append(t.from[m.Topic], fmt.Sprintf("%d:%d", m.Index, id))
		}
		for _, id := range m.To {
			if !slices.Contains(m.Replicas, id) {
				t.to[m.Topic] = append(t.to[m.Topic], fmt.Sprintf("%d:%d", m.Index, id))
			}
		}
	}
	return t
}

// set limits what each broker gives out and takes in of the moves, as Kafka's own tool does.
func (t throttled) set(ctx context.Context, admin *admin, bytesPerSecond int64) error {
	rate := fmt.Sprint(bytesPerSecond)
	to := func(name, value string) kadm.AlterConfig {
		return kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: &value}
	}
	return t.alter(ctx, admin, func(topic string) []kadm.AlterConfig {
		return []kadm.AlterConfig{to(leaderReplicas, strings.Join(t.from[topic], ",")), to(followerReplicas, strings.Join(t.to[topic], ","))}
	}, []kadm.AlterConfig{to(leaderRate, rate), to(followerRate, rate)})
}

// lift takes the limits back, those included that an interrupted run has left.
func (t throttled) lift(ctx context.Context, admin *admin) error {
	gone := func(names ...string) (all []kadm.AlterConfig) {
		for _, name := range names {
			all = append(all, kadm.AlterConfig{Op: kadm.DeleteConfig, Name: name})
		}
		return all
	}
	return t.alter(ctx, admin, func(string) []kadm.AlterConfig { return gone(leaderReplicas, followerReplicas) }, gone(leaderRate, followerRate))
}

func (t throttled) alter(ctx context.Context, admin *admin, topic func(string) []kadm.AlterConfig, brokers []kadm.AlterConfig) error {
	for _, name := range slices.Sorted(maps.Keys(t.from)) {
		answers, err := admin.AlterTopicConfigs(ctx, topic(name), name)
		if err := altered(answers, err); err != nil {
			return fmt.Errorf("throttle topic %s: %w", name, err)
		}
	}
	answers, err := admin.AlterBrokerConfigs(ctx, brokers)
	if err := altered(answers, err); err != nil {
		return fmt.Errorf("throttle the brokers: %w", err)
	}
	return nil
}

// altered is the first error of an alteration.
func altered(answers kadm.AlterConfigsResponses, err error) error {
	for _, r := range answers {
		err = errors.Join(err, withMessage(r.Err, r.ErrMessage))
	}
	return err
}
