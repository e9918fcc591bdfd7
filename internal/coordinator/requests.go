package coordinator

import (
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/group"
)

// Start brings a request of the group APIs to its shard, or shards. It does not wait. The request and its bytes belong
// to the coordinator until the call is done.
func (c *Coordinator) Start(request kmsg.Request, caller Caller) *Call {
	call := newCall(request)
	reply := group.Reply(call.finish)
	switch r := request.(type) {
	case *kmsg.JoinGroupRequest:
		c.toShard(r.Group, call, group.Join(r, caller, c.o.NewID(), reply))
	case *kmsg.SyncGroupRequest:
		c.toShard(r.Group, call, group.Sync(r, reply))
	case *kmsg.HeartbeatRequest:
		c.toShard(r.Group, call, group.Heartbeat(r, reply))
	case *kmsg.LeaveGroupRequest:
		c.toShard(r.Group, call, group.Leave(r, reply))
	case *kmsg.OffsetCommitRequest:
		c.toShard(r.Group, call, group.Commit(r, reply))
	case *kmsg.OffsetDeleteRequest:
		c.toShard(r.Group, call, group.DeleteOffsets(r, reply))
	case *kmsg.OffsetFetchRequest:
		c.fetch(call, r)
	case *kmsg.DescribeGroupsRequest:
		call.finish(c.describe(r))
	case *kmsg.ListGroupsRequest:
		call.finish(c.list(r))
	case *kmsg.DeleteGroupsRequest:
		c.deleteGroups(call, r)
	default:
		panic(fmt.Errorf("%T: %w", request, errUnknownRequest))
	}
	return call
}

func failed(request kmsg.Request, err error) kmsg.Response { return group.ErrorResponse(request, err) }

func (c *Coordinator) toShard(groupID string, call *Call, event group.Event) {
	s, err := c.shardOf(groupID)
	if err != nil {
		call.finish(failed(call.request, err))
		return
	}
	s.begin(call, event)
}

// gather finishes a call when all parts of its answer are there.
type gather struct {
	mu      sync.Mutex
	missing int
	finish  func()
}

// part runs f, which adds a part, and finishes the call with the last one.
func (g *gather) part(f func()) {
	g.mu.Lock()
	f()
	g.missing--
	last := g.missing == 0
	g.mu.Unlock()
	if last {
		g.finish()
	}
}

// fetch reads offsets. The request names groups in every version: see api. A stable fetch of a group waits for its shard.
func (c *Coordinator) fetch(call *Call, r *kmsg.OffsetFetchRequest) {
	response := &kmsg.OffsetFetchResponse{Groups: make([]kmsg.OffsetFetchResponseGroup, len(r.Groups))}
	if len(r.Groups) == 0 {
		call.finish(response)
		return
	}
	g := &gather{missing: len(r.Groups), finish: func() { call.finish(response) }}
	for i := range r.Groups {
		request := &r.Groups[i]
		c.fetchGroup(request, r.RequireStable, func(answer *kmsg.OffsetFetchResponseGroup, err error) {
			if err != nil {
				answer = fetchError(request.Group, err)
			}
			g.part(func() { response.Groups[i] = *answer })
		})
	}
}

func (c *Coordinator) fetchGroup(
	r *kmsg.OffsetFetchRequestGroup, stable bool, reply func(*kmsg.OffsetFetchResponseGroup, error),
) {
	s, err := c.shardOf(r.Group)
	if err != nil {
		reply(nil, err)
		return
	}
	if stable {
		if err := s.submit(group.FetchStable(r, reply)); err != nil {
			reply(nil, err)
		}
		return
	}
	state, err := s.committed()
	if err != nil {
		reply(nil, err)
		return
	}
	reply(state.FetchOffsets(r), nil)
}

// fetchError tells consumers of NOT_COORDINATOR where others hear COORDINATOR_NOT_AVAILABLE: those before 3.9 do not
// expect that one here, and would not retry.
func fetchError(groupID string, err error) *kmsg.OffsetFetchResponseGroup {
	code := group.Code(err)
	if code == kerr.CoordinatorNotAvailable.Code {
		code = kerr.NotCoordinator.Code
	}
	return &kmsg.OffsetFetchResponseGroup{Group: groupID, ErrorCode: code}
}

func (c *Coordinator) describe(r *kmsg.DescribeGroupsRequest) kmsg.Response {
	response := new(kmsg.DescribeGroupsResponse)
	for _, id := range r.Groups {
		described := kmsg.NewDescribeGroupsResponseGroup()
		described.Group = id
		s, err := c.shardOf(id)
		if err == nil {
			var state *group.Shard
			if state, err = s.committed(); err == nil {
				described = state.Describe(id, r.Version)
			}
		}
		if err != nil {
			described.ErrorCode = group.Code(err)
		}
		response.Groups = append(response.Groups, described)
	}
	return response
}

// list gives the groups of all shards that this broker leads; one that is still loading fails the whole, as half a list
// would look like a whole one.
func (c *Coordinator) list(r *kmsg.ListGroupsRequest) kmsg.Response {
	response := new(kmsg.ListGroupsResponse)
	for _, s := range c.all() {
		state, err := s.committed()
		if err != nil {
			return failed(r, err)
		}
		response.Groups = append(response.Groups, state.List(r.StatesFilter, r.TypesFilter)...)
	}
	return response
}

// deleteGroups deletes each group once, however often it is named, shard by shard.
func (c *Coordinator) deleteGroups(call *Call, r *kmsg.DeleteGroupsRequest) {
	response := new(kmsg.DeleteGroupsResponse)
	refuse := func(id string, err error) {
		response.Groups = append(response.Groups, kmsg.DeleteGroupsResponseGroup{Group: id, ErrorCode: group.Code(err)})
	}
	byShard := make(map[*shard][]string)
	seen := make(map[string]struct{}, len(r.Groups))
	for _, id := range r.Groups {
		if _, again := seen[id]; again {
			continue
		}
		seen[id] = struct{}{}
		s, err := c.shardOf(id)
		if err != nil {
			refuse(id, err)
			continue
		}
		byShard[s] = append(byShard[s], id)
	}
	if len(byShard) == 0 {
		call.finish(response)
		return
	}
	g := &gather{missing: len(byShard), finish: func() { call.finish(response) }}
	for s, ids := range byShard {
		s.deleteGroups(ids, func(results []kmsg.DeleteGroupsResponseGroup) {
			g.part(func() { response.Groups = append(response.Groups, results...) })
		})
	}
}

// deleteGroups deletes as much at a time as one decision may.
func (s *shard) deleteGroups(ids []string, done func([]kmsg.DeleteGroupsResponseGroup)) {
	var results []kmsg.DeleteGroupsResponseGroup
	var step func(ids []string)
	fail := func(ids []string, err error) {
		for _, id := range ids {
			results = append(results, kmsg.DeleteGroupsResponseGroup{Group: id, ErrorCode: group.Code(err)})
		}
		done(results)
	}
	step = func(ids []string) {
		err := s.submit(group.DeleteGroups(ids, func(d group.Deleted, err error) {
			switch {
			case err != nil:
				fail(ids, err)
			case len(d.Rest) > 0:
				results = append(results, d.Results...)
				step(d.Rest)
			default:
				done(append(results, d.Results...))
			}
		}))
		if err != nil {
			fail(ids, err)
		}
	}
	step(ids)
}
