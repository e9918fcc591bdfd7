package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/meta"
)

// CreatePartitions (key 37) has the controller add partitions to topics, and answers when this broker has them.
//
// Versions 0-3, which are the same but for the encoding.
func (b *Broker) createPartitions(r *Request) Result {
	request := r.Body.(*kmsg.CreatePartitionsRequest)
	return later(func() Result {
		ctx, cancel := controllerContext(r, request.TimeoutMillis)
		defer cancel()
		answer, err := b.Controller.Do(ctx, request, r.Conn.Principal)
		if err != nil {
			response := request.ResponseKind().(*kmsg.CreatePartitionsResponse)
			code := b.code(err, kerr.NotController, "CreatePartitions")
			for i := range request.Topics {
				topic := kmsg.NewCreatePartitionsResponseTopic()
				topic.Topic, topic.ErrorCode, topic.ErrorMessage = request.Topics[i].Topic, code, message(err)
				response.Topics = append(response.Topics, topic)
			}
			return respond(response)
		}
		if !request.ValidateOnly {
			added := answer.(*kmsg.CreatePartitionsResponse)
			b.awaitImage(ctx, func(im *meta.Image) bool { return hasPartitions(im, request, added) })
		}
		return respond(answer)
	})
}

func hasPartitions(im *meta.Image, request *kmsg.CreatePartitionsRequest, response *kmsg.CreatePartitionsResponse) bool {
	succeeded := make(map[string]bool, len(response.Topics))
	for i := range response.Topics {
		succeeded[response.Topics[i].Topic] = response.Topics[i].ErrorCode == 0
	}
	for i := range request.Topics {
		wanted := &request.Topics[i]
		topic, there := im.Topic(wanted.Topic)
		// A topic that is deleted meanwhile is not waited for.
		if succeeded[wanted.Topic] && there && len(topic.Partitions) < int(wanted.Count) {
			return false
		}
	}
	return true
}
