package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/meta"
)

// DeleteTopics (key 20) has the controller delete topics, and answers when this broker no longer has them.
//
// Versions 0-6. 5: error messages. 6: by id too (KIP-516).
func (b *Broker) deleteTopics(r *Request) Result {
	request := r.Body.(*kmsg.DeleteTopicsRequest)
	return later(func() Result {
		ctx, cancel := controllerContext(r, request.TimeoutMillis)
		defer cancel()
		before := b.Image()
		answer, err := b.Controller.Do(ctx, request, r.Conn.Principal)
		if err != nil {
			return respond(b.topicsNotDeleted(request, err))
		}
		deleted := answer.(*kmsg.DeleteTopicsResponse)
		b.awaitImage(ctx, func(im *meta.Image) bool { return hasDeleted(before, im, deleted) })
		return respond(answer)
	})
}

func (b *Broker) topicsNotDeleted(request *kmsg.DeleteTopicsRequest, err error) *kmsg.DeleteTopicsResponse {
	response := request.ResponseKind().(*kmsg.DeleteTopicsResponse)
	code := b.code(err, kerr.NotController, "DeleteTopics")
	add := func(name *string, id meta.ID) {
		topic := kmsg.NewDeleteTopicsResponseTopic()
		topic.Topic, topic.TopicID, topic.ErrorCode, topic.ErrorMessage = name, id, code, message(err)
		response.Topics = append(response.Topics, topic)
	}
	for i := range request.TopicNames {
		add(&request.TopicNames[i], meta.ID{})
	}
	for i := range request.Topics {
		add(request.Topics[i].Topic, request.Topics[i].TopicID)
	}
	return response
}

// hasDeleted reports whether the topics that the image had before are gone. A topic of the same name may have been
// created meanwhile; it is another.
func hasDeleted(before, im *meta.Image, response *kmsg.DeleteTopicsResponse) bool {
	for i := range response.Topics {
		topic := &response.Topics[i]
		if topic.ErrorCode != 0 {
			continue
		}
		id := topic.TopicID
		if topic.Topic != nil && id == (meta.ID{}) {
			known, existed := before.Topic(*topic.Topic)
			if !existed {
				continue
			}
			id = known.ID
		}
		if _, there := im.TopicByID(id); there {
			return false
		}
	}
	return true
}
