package api

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/config"
	"github.com/barnabas-mq/barnabas/internal/meta"
)

const (
	// creationsLimit bounds the topics that are being created because somebody asked for their metadata. Those beyond
	// it are created when they are asked for again.
	creationsLimit = 1000
	// creationTimeout bounds one of them.
	creationTimeout = 30 * time.Second
)

// creations are the topics that are being created because somebody asked for them. The zero value is ready.
type creations struct {
	mu      sync.Mutex // Guards the fields below.
	topics  map[string]struct{}
	cancels map[*context.CancelFunc]struct{}
	running sync.WaitGroup
	closed  bool
}

// Close ends what the broker started on its own. The server must have stopped.
func (b *Broker) Close() {
	b.creations.mu.Lock()
	b.creations.closed = true
	for cancel := range b.creations.cancels {
		(*cancel)()
	}
	b.creations.mu.Unlock()
	b.creations.running.Wait()
}

// autoCreate begins to create topics that a client asked for and does not wait for them, as in Kafka: the client asks
// again anyway.
func (b *Broker) autoCreate(names []string, principal string) {
	c := &b.creations
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	var begun []string
	for _, name := range names {
		if _, running := c.topics[name]; running || len(c.topics) >= creationsLimit {
			continue
		}
		if c.topics == nil {
			c.topics, c.cancels = make(map[string]struct{}), make(map[*context.CancelFunc]struct{})
		}
		c.topics[name] = struct{}{}
		begun = append(begun, name)
	}
	if len(begun) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), creationTimeout)
	c.cancels[&cancel] = struct{}{}
	c.running.Go(func() {
		defer cancel()
		if err := b.createTopicsNamed(ctx, begun, principal); err != nil {
			b.Complaints.Add("auto-creation of "+begun[0], "topics were not created automatically", err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.cancels, &cancel)
		for _, name := range begun {
			delete(c.topics, name)
		}
	})
}

// createTopicsNamed creates topics as this broker's settings say, internal ones as theirs say, and waits until the
// local image has them. Topics that exist meanwhile are fine.
func (b *Broker) createTopicsNamed(ctx context.Context, names []string, principal string) error {
	request := kmsg.NewPtrCreateTopicsRequest()
	request.Version = request.MaxVersion()
	request.TimeoutMillis = int32(creationTimeout.Milliseconds())
	for _, name := range names {
		request.Topics = append(request.Topics, b.topicToCreate(name))
	}
	answer, err := b.Controller.Do(ctx, request, principal)
	if err != nil {
		return fmt.Errorf("create topics %q: %w", names, err)
	}
	response := answer.(*kmsg.CreateTopicsResponse)
	for i := range response.Topics {
		topic := &response.Topics[i]
		if err := kerr.ErrorForCode(topic.ErrorCode); err != nil && topic.ErrorCode != kerr.TopicAlreadyExists.Code {
			return fmt.Errorf("create topic %q: %s: %w", topic.Topic, textOf(topic.ErrorMessage), err)
		}
	}
	return b.AwaitImage(ctx, func(im *meta.Image) bool {
		for _, name := range names {
			if _, there := im.Topic(name); !there {
				return false
			}
		}
		return true
	})
}

func textOf(message *string) string {
	if message == nil {
		return ""
	}
	return *message
}

// topicToCreate leaves numbers of an ordinary topic to the controller unless this broker's settings say them.
func (b *Broker) topicToCreate(name string) kmsg.CreateTopicsRequestTopic {
	settings := b.Config()
	if isInternalTopic(name) {
		return InternalTopic(name, settings, b.Image())
	}
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, -1, -1
	if config.NumPartitions.IsSet(settings) {
		topic.NumPartitions = config.NumPartitions.Of(settings)
	}
	if config.DefaultReplicationFactor.IsSet(settings) {
		topic.ReplicationFactor = int16(config.DefaultReplicationFactor.Of(settings))
	}
	return topic
}
