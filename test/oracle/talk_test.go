//go:build suite

package oracle

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const apiVersionsKey = 18

// exchange is one step of a conversation that is compared.
type exchange struct {
	step   string
	leaves []leaf
}

// failed ends a conversation whose preparation did not go as it must.
type failed struct{ err error }

// Talk is a conversation with one broker.
type Talk struct {
	Version int16  // of the API that the conversation is about
	Name    string // unique to this conversation and version, for topics and groups
	node    *broker
	links   map[string]*link
	symbols *symbols
	said    []exchange
	pending []*Pending
}

// broker is one of the processes that are talked with.
type broker struct {
	name       string
	address    string
	controller string // its address
	dataDir    string
	since      time.Time
}

// Pending is a request whose answer has not been taken.
type Pending struct {
	t           *Talk
	link        *link
	request     kmsg.Request
	correlation int32
	err         error
}

func newTalk(b *broker, name string, version int16) *Talk {
	return &Talk{Version: version, Name: name, node: b, links: map[string]*link{}, symbols: newSymbols(b, name)}
}

// on is the connection of a name; "" is the first.
func (t *Talk) on(name string) *link {
	if t.links[name] == nil {
		t.links[name] = &link{address: t.node.address}
	}
	return t.links[name]
}

func (t *Talk) closeAll() {
	for _, l := range t.links {
		l.close()
	}
}

// Send sends on a connection without taking the answer.
func (t *Talk) Send(connection string, r kmsg.Request) *Pending {
	l := t.on(connection)
	correlation, err := l.send(r)
	return &Pending{t: t, link: l, request: r, correlation: correlation, err: err}
}

// take is the answer, or what happened instead of it.
func (p *Pending) take(within time.Duration) (kmsg.Response, error) {
	if p.err != nil {
		p.link.close()
		return nil, p.err
	}
	frame, err := p.link.receive(within)
	if err != nil {
		p.link.close()
		return nil, err
	}
	return decode(frame, p.correlation, p.request)
}

// Ask sends a request and records its answer under the step's name. It answers nil where the broker did not answer.
func (t *Talk) Ask(step string, r kmsg.Request) kmsg.Response {
	return t.Take(step, t.Send("", r))
}

// Take records the answer to what was sent before.
func (t *Talk) Take(step string, p *Pending) kmsg.Response {
	response, err := p.take(answerTime)
	t.record(step, response, err)
	return response
}

// Silent asks what neither broker may answer within a moment (a parked request, acks=0).
func (t *Talk) Silent(step string, p *Pending, within time.Duration) {
	response, err := p.take(within)
	t.record(step, response, err)
}

// Must prepares: its answer is not compared, but it has to be there.
func (t *Talk) Must(r kmsg.Request) kmsg.Response {
	response, err := t.Send("", r).take(answerTime)
	if err != nil && !errors.Is(err, errClosed) || response == nil {
		panic(failed{fmt.Errorf("%s v%d: %v", kmsg.NameForKey(r.Key()), r.GetVersion(), err)})
	}
	return response
}

// Raw sends bytes as they are and records what comes back: "closed", or an answer read as that to r.
func (t *Talk) Raw(step string, frame []byte, correlation int32, r kmsg.Request) kmsg.Response {
	return t.rawWithin(step, frame, correlation, r, answerTime)
}

func (t *Talk) rawWithin(step string, frame []byte, correlation int32, r kmsg.Request, within time.Duration) kmsg.Response {
	l := t.on("")
	p := &Pending{t: t, link: l, request: r, correlation: correlation, err: l.write(frame)}
	response, err := p.take(within)
	t.record(step, response, err)
	return response
}

// Note records a value that the conversation worked out.
func (t *Talk) Note(step string, value any) {
	t.said = append(t.said, exchange{step, []leaf{{path: "value", value: fmt.Sprint(value)}}})
}

func (t *Talk) record(step string, response kmsg.Response, err error) {
	if slices.ContainsFunc(t.said, func(e exchange) bool { return e.step == step }) {
		panic(failed{fmt.Errorf("two steps are called %q", step)})
	}
	e := exchange{step: step}
	if err != nil {
		e.leaves = append(e.leaves, leaf{path: "answer", value: err.Error()})
	}
	if response != nil {
		e.leaves = append(e.leaves, t.symbols.flatten(response)...)
	}
	t.said = append(t.said, e)
}

// Until asks again, unrecorded, until the answer is as wanted, and then records it.
func (t *Talk) Until(step string, r kmsg.Request, wanted func(kmsg.Response) bool) kmsg.Response {
	deadline := time.Now().Add(answerTime)
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		response, err := t.Send("", r).take(answerTime)
		if err != nil || wanted(response) || time.Now().After(deadline) {
			t.record(step, response, err)
			return response
		}
		<-ticker.C
	}
}
