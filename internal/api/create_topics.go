package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/meta"
)

// CreateTopics (key 19) has the controller create topics, and answers when this broker has them.
//
// Versions 0-7. 1: only validate. 4: defaults for partitions and factor (KIP-464). 5: the configs in the answer (KIP-525).
// 7: topic ids.
func (b *Broker) createTopics(r *Request) Result {
	request := r.Body.(*kmsg.CreateTopicsRequest)
	return later(func() Result {
		ctx, cancel := controllerContext(r, request.TimeoutMillis)
		defer cancel()
		answer, err := b.Controller.Do(ctx, request, r.Conn.Principal)
		if err != nil {
			response := request.ResponseKind().(*kmsg.CreateTopicsResponse)
			code := b.code(err, kerr.NotController, "CreateTopics")
			for i := range request.Topics {
				topic := kmsg.NewCreateTopicsResponseTopic()
				topic.Topic, topic.ErrorCode, topic.ErrorMessage = request.Topics[i].Topic, code, message(err)
				response.Topics = append(response.Topics, topic)
			}
			return respond(response)
		}
		if !request.ValidateOnly {
			created := answer.(*kmsg.CreateTopicsResponse)
			b.awaitImage(ctx, func(im *meta.Image) bool { return hasCreated(im, created) })
		}
		return respond(answer)
	})
}

func hasCreated(im *meta.Image, response *kmsg.CreateTopicsResponse) bool {
	for i := range response.Topics {
		topic := &response.Topics[i]
		if topic.ErrorCode != 0 {
			continue
		}
		if _, there := im.Topic(topic.Topic); !there {
			return false
		}
	}
	return true
}
