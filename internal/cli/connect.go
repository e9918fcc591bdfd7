package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/barnabas-mq/barnabas/internal/config"
)

// How long a command waits: for a connection, and for an answer that the broker owes at once.
const (
	dialTimeout    = 5 * time.Second
	requestTimeout = 30 * time.Second
)

// unreachable says that no broker could be connected to.
type unreachable struct {
	addresses []string
	cause     error
}

func (e *unreachable) Error() string {
	where := strings.Join(e.addresses, ", ")
	if errors.Is(e.cause, syscall.ECONNREFUSED) {
		return fmt.Sprintf("nothing listens at %s. Start a broker with 'barnabas serve', or name another with --bootstrap-server or %s", where, config.EnvBootstrapServer)
	}
	return fmt.Sprintf("no connection to %s: %v. Name a broker with --bootstrap-server or %s", where, e.cause, config.EnvBootstrapServer)
}

func (e *unreachable) Unwrap() error { return e.cause }

// connect returns a client of the broker. It first makes sure that somebody listens: a client
// would try for minutes, and a person wants to know at once.
func (a *app) connect(ctx context.Context, options ...kgo.Opt) (*kgo.Client, error) {
	addresses := make([]string, 0, len(a.bootstrap))
	for _, address := range a.bootstrap {
		if _, _, err := net.SplitHostPort(address); err != nil {
			address = net.JoinHostPort(strings.Trim(address, "[]"), "9092")
		}
		addresses = append(addresses, address)
	}
	if err := reach(ctx, addresses); err != nil {
		return nil, err
	}
	options = append([]kgo.Opt{
		kgo.SeedBrokers(addresses...),
		kgo.ClientID("barnabas-cli"),
		kgo.DialTimeout(dialTimeout),
		kgo.RetryTimeout(requestTimeout),
		kgo.MetadataMinAge(50 * time.Millisecond),
	}, options...)
	return kgo.NewClient(options...)
}

func reach(ctx context.Context, addresses []string) error {
	var last error
	for _, address := range addresses {
		dialer := net.Dialer{Timeout: dialTimeout}
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		last = err
	}
	return &unreachable{addresses, last}
}

// admin is an administrative client, and the plain one beneath for requests that it lacks.
type admin struct {
	*kadm.Client
	client *kgo.Client
}

// admin calls f with an administrative client.
func (a *app) admin(ctx context.Context, f func(context.Context, *admin) error) error {
	client, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return f(ctx, &admin{kadm.NewClient(client), client})
}

// coordinatorRetry is the pause before a coordinator that is not ready is asked again.
const coordinatorRetry = 100 * time.Millisecond

// committed returns what a group has committed. A coordinator that is starting or moving, as it
// does when the first group of a cluster is asked for, is asked again until the context ends.
func (a *admin) committed(ctx context.Context, group string) (kadm.OffsetResponses, error) {
	for {
		offsets, err := a.FetchOffsets(ctx, group)
		if err == nil || !errors.Is(err, kerr.CoordinatorNotAvailable) && !errors.Is(err, kerr.CoordinatorLoadInProgress) && !errors.Is(err, kerr.NotCoordinator) {
			return offsets, wrapGroup(group, err)
		}
		select {
		case <-time.After(coordinatorRetry):
		case <-ctx.Done():
			return nil, wrapGroup(group, err)
		}
	}
}

func wrapGroup(group string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("group %s: %w", group, err)
}

// explain says what went wrong and, where it is known, what to do.
func (a *app) explain(err error) string {
	text := err.Error()
	for _, known := range []struct {
		err    error
		advice string
	}{
		{kerr.UnknownTopicOrPartition, "'barnabas topic list' shows the topics there are, 'barnabas topic create NAME' makes one"},
		{kerr.TopicAlreadyExists, "add --if-not-exists to take it as it is"},
		{kerr.GroupIDNotFound, "'barnabas group list' shows the groups there are"},
		{kerr.NonEmptyGroup, "stop its consumers first"},
		{kerr.InvalidReplicationFactor, "a replication factor can be at most the number of brokers"},
		{kerr.NotEnoughReplicas, "fewer replicas are in sync than min.insync.replicas asks for; try again when brokers are back, or use --acks 1"},
		{kerr.MessageTooLarge, "raise the topic's max.message.bytes"},
		{kerr.TopicDeletionDisabled, "the broker has delete.topic.enable=false"},
		{kerr.CoordinatorNotAvailable, "the coordinator is starting or has moved: try again in a moment; the broker's log says if its topic cannot be created"},
		{syscall.EADDRINUSE, "another program listens there, perhaps another broker; give another address with --set listeners=PLAINTEXT://127.0.0.1:PORT"},
		{context.DeadlineExceeded, "the broker did not answer in time; look at its log"},
		{io.EOF, "the broker closed the connection; perhaps " + strings.Join(a.bootstrap, ", ") + " is no Kafka listener, or one that speaks TLS"},
	} {
		if errors.Is(err, known.err) {
			return strings.TrimSuffix(text, ".") + "; " + known.advice
		}
	}
	return text
}
