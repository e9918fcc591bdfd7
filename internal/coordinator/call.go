package coordinator

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Call is a request on its way.
type Call struct {
	request  kmsg.Request
	once     sync.Once
	done     chan struct{}
	response kmsg.Response // set before done is closed
	shard    *shard        // where it waits, if it does
}

func newCall(request kmsg.Request) *Call {
	return &Call{request: request, done: make(chan struct{})}
}

// Done is closed when the response is there.
func (c *Call) Done() <-chan struct{} { return c.done }

// Response is the answer, at the version of the request, once Done is closed.
func (c *Call) Response() kmsg.Response { return c.response }

// Cut answers NOT_COORDINATOR, unless there is an answer: for a broker that stops, or a client that is gone. What the
// request began goes on.
func (c *Call) Cut() { c.finish(failed(c.request, kerr.NotCoordinator)) }

// finish answers, the first time that it is called. It does not wait.
func (c *Call) finish(response kmsg.Response) {
	c.once.Do(func() {
		response.SetVersion(c.request.GetVersion())
		c.response = response
		if c.shard != nil {
			c.shard.forgetCall(c)
		}
		close(c.done)
	})
}
