package api

import (
	"net"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/coordinator"
)

// toGroups brings a request to the coordinator of its group, and parks it until that answers: for a JoinGroup that is
// the end of the join phase, however long it takes. When the client's connection ends meanwhile the member stays, until
// its session ends.
func (b *Broker) toGroups(r *Request, body kmsg.Request, then func(kmsg.Response) kmsg.Response) Result {
	call := b.Groups.Start(body, caller(r))
	finish := func() Result {
		response := call.Response()
		if then != nil {
			response = then(response)
		}
		return respond(response)
	}
	select {
	case <-call.Done():
		return finish()
	default:
		return Result{Pending: &Pending{Done: call.Done(), Finish: finish, Cut: call.Cut}}
	}
}

// caller is what a group remembers of the client.
func caller(r *Request) coordinator.Caller {
	c := coordinator.Caller{ClientID: r.Client()}
	if r.Conn != nil && r.Conn.Peer != nil {
		host, _, err := net.SplitHostPort(r.Conn.Peer.String())
		if err != nil {
			host = r.Conn.Peer.String()
		}
		c.ClientHost = "/" + host
	}
	return c
}
