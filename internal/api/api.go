// Package api knows what each request means: one file a request, named by its API, and one row a request in
// table.go. It turns errors into codes, and nobody else does. It must not know sockets, frames, files or consensus:
// it asks the parts that do through Broker.
package api

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/complaints"
	"github.com/barnabas-mq/barnabas/internal/config"
	"github.com/barnabas-mq/barnabas/internal/coordinator"
	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/barnabas-mq/barnabas/internal/replica"
	"github.com/barnabas-mq/barnabas/internal/wire"
)

// Conn is what a request may know of the connection that it came by. The server fills it in and changes it only
// between two requests, so a handler reads it without a lock until its Result is finished.
type Conn struct {
	ID        string   // Names the connection in logs: local, peer and a counter.
	Peer      net.Addr // The client's address.
	Local     net.Addr // The address that the client dialled, as this host sees it.
	Listener  string   // The listener's name, PLAINTEXT if nothing else was said.
	Principal string   // User:ANONYMOUS without a login.

	// Rows are what is served on the connection's listener.
	Rows []Row
	// SoftwareName and SoftwareVersion are what the client's last ApiVersions said of itself (KIP-511); empty
	// before it.
	SoftwareName, SoftwareVersion string
}

// Request is one decoded request. Body and everything in it belong to the handler, with one exception: in rows that
// set Aliases, byte slices in Body lie in the connection's read buffer and are valid until Handle returns.
type Request struct {
	Conn          *Conn
	Key, Version  int16
	CorrelationID int32
	ClientID      *string
	Body          kmsg.Request // Version is set in it.
	Received      time.Time
	// Ctx ends when the connection does, or when the server's time to stop is up.
	Ctx context.Context //nolint:containedctx // It is the request's own life, as in net/http.
}

// Client returns the client id, or the empty string where the client sent null.
func (r *Request) Client() string {
	if r.ClientID == nil {
		return ""
	}
	return *r.ClientID
}

// Result is what a handler returns: exactly one of the fields is set, and beside it perhaps Errors.
type Result struct {
	// Response is encoded at its own version behind the right header.
	Response kmsg.Response
	// Encode appends the response's body by hand, behind a header that is there already; it must be encoded at
	// the request's version. It is called once, by the goroutine of the connection; its error closes the connection.
	Encode func(*wire.Buffer) error
	// Pending says that the answer comes later.
	Pending *Pending
	// None says that the client waits for no answer: Produce with acks=0.
	None bool
	// Close closes the connection once the answers before this one are out, and says why in a log line of the
	// connection (at most one a peer and minute). It is for what Kafka itself answers by closing.
	Close error
	// Errors is for requests that are too hot for looking through their Response afterwards, or have none to look
	// through: they count the error codes where they put them into the answer, and the counts are whole once it is
	// encoded. Nil says that the codes are those in Response.
	Errors *ErrorCounts
}

// Pending is an answer that something else has to happen for. The server flushes what it holds back, gives up the
// read buffer, waits for Done, and calls Finish on a goroutine of the connection.
type Pending struct {
	// Done is closed when Finish would not wait. Nil means that Finish itself waits (on the controller, say),
	// bounded by the request's own timeout and by Ctx; a row that Overlaps must set Done.
	Done <-chan struct{}
	// Finish makes the answer; it is called exactly once, even when the connection is gone meanwhile, so it is the
	// place to let go of what the request holds. It must not return another Pending.
	Finish func() Result
	// Cut asks for Done to be closed soon, because the broker stops or the client is gone: a long-polling Fetch then
	// answers with what it has. It is called at most once, from any goroutine, perhaps after Finish. Whatever may
	// wait for longer than a few seconds must set it, as nothing else ends the wait.
	Cut func()
}

// Row is one request: the versions that are served, and advertised, and who handles it.
type Row struct {
	Key, Min, Max int16
	// Handle runs on the connection's goroutine. It must not wait; what waits is returned as Pending.
	Handle func(*Broker, *Request) Result
	// Aliases says that byte slices in Body lie in the read buffer and are valid only until Handle returns.
	// Without it the server decodes a request that has byte fields from a copy.
	Aliases bool
	// Hidden says that the row is for our own nodes, and advertised to nobody else: Kafka's clients see what Kafka has there.
	Hidden bool
	// Overlaps says that a request of this row starts although earlier ones of the same row are still pending.
	// Answers leave in order all the same. Only Produce does it: its waits are for replication and independent.
	Overlaps bool
}

// Controller is the seam to whoever decides about metadata: on this node or, in a cluster, on another. Do takes the
// request at its own version and returns the answer at that version once what it decided is committed. An error
// means that no answer was had (no controller, time out); a protocol error inside the response is not one.
type Controller interface {
	Do(ctx context.Context, req kmsg.Request, principal string) (kmsg.Response, error)
}

// Broker is what requests may touch. The node fills it in before the first request and does not change it later.
// Fields belong to the requests that use them; a handler must not reach into another's. Close ends what it started.
type Broker struct {
	NodeID    int32
	ClusterID string
	Logger    *slog.Logger
	Now       func() time.Time

	// Image is the committed metadata as this broker acts on it.
	Image func() *meta.Image
	// AwaitImage waits until the image is as wanted, or ctx ends.
	AwaitImage func(ctx context.Context, wanted func(*meta.Image) bool) error
	// MetadataOffset is the offset of the metadata log that Image is at.
	MetadataOffset func() int64
	// Config is this broker's settings as they are now.
	Config     func() *config.Values
	Controller Controller
	// Forwarded decides a request that another node has forwarded here, if the active controller is on this node; else the
	// error is NOT_CONTROLLER. It does not forward again.
	Forwarded func(ctx context.Context, req kmsg.Request, principal string) (kmsg.Response, error)
	// Peer answers what only our own nodes say to each other; key and version are those of package peer.
	Peer func(ctx context.Context, key, version int16, body []byte) ([]byte, error)
	// Quorum, on a controller's listener, is the cluster's id and who leads the quorum, -1 if nobody is known to. Such a listener
	// serves before the cluster's id is known, so ClusterID is empty there.
	Quorum func() (clusterID string, leader int32)
	// LogLevel is the level of the root logger, which is the only one; nil if it cannot be changed.
	LogLevel *slog.LevelVar
	// CanListen tells whether the listeners that a change of this broker's settings would add can be opened.
	CanListen func(change map[string]string) error

	// Replicas are the partitions held here.
	Replicas    *replica.Manager
	ProducerIDs *ProducerIDs
	// FetchMaxBytes is fetch.max.bytes.
	FetchMaxBytes int32
	// ServesFollowers says that other brokers may fetch from here.
	ServesFollowers func() bool
	FetchSessions   *FetchSessions

	Groups *coordinator.Coordinator

	// Complaints takes what a client's repeated requests would else log each time.
	Complaints *complaints.Book

	creations creations
}

func respond(response kmsg.Response) Result { return Result{Response: response} }

// later is the Result of a request whose answer waits inside finish, bounded by the request's Ctx.
func later(finish func() Result) Result { return Result{Pending: &Pending{Finish: finish}} }
