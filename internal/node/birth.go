package node

import (
	"context"
	"encoding/base64"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/barnabas-mq/barnabas/internal/peer"
	"github.com/barnabas-mq/barnabas/internal/quorum"
)

const (
	// meetAgain is the pause before controllers that do not agree yet, or do not answer, are asked again.
	meetAgain = 50 * time.Millisecond
	// meetTimeout bounds what one of them may take to answer.
	meetTimeout = time.Second
	// meetSaid is how often it is said what is waited for.
	meetSaid = 10 * time.Second
)

// meet finds out, with the other controllers, which cluster this is, and what this node is in its quorum: one of its first voters, a
// member from before, one who joins, or, without the role of a controller, none.
//
// A quorum is born once: by the controller with the lowest node id, and only when every one that is configured has answered, none
// knows of a quorum, and all have written down the cluster's id, and with it their directory ids, by which they vote. Who has
// lost its disk has another directory id, and joins the quorum that is there as if it were new.
func (n *Node) meet(ctx context.Context) error {
	e := n.ensemble
	if err := n.recall(); err != nil {
		return err
	}
	switch controller := n.isController(); {
	case controller && (e.born || len(e.list()) == 0):
		return nil
	case !controller && e.clusterID != "":
		return nil // it has been there before; who leads is found out while it runs
	}
	said := time.Now()
	for {
		hellos, missing := e.greetAll(ctx)
		done, err := n.agree(hellos, missing)
		if done || err != nil {
			return err
		}
		if time.Since(said) > meetSaid {
			said = time.Now()
			n.sayWaiting(missing)
		}
		if err := pause(ctx, meetAgain); err != nil {
			return fmt.Errorf("waiting for controllers %v: %w", missing, err)
		}
	}
}

func (n *Node) sayWaiting(missing []string) {
	if n.isController() {
		n.logger.Info("waiting for the other controllers: a quorum begins when all have been there once", "missing", missing)
		return
	}
	n.logger.Info("waiting for a controller of a cluster", "missing", missing)
}

// recall is what this node knows from before: its cluster, and whether it has a raft log.
func (n *Node) recall() error {
	e := n.ensemble
	id, err := n.knownCluster()
	if err != nil {
		return err
	}
	known, born := quorum.Members{}, false
	if n.isController() {
		known, born, err = quorum.Born(n.options.FS, filepath.Join(n.metadata.path, raftFolder), n.metadataOwner().Identity().DirectoryID)
		if err != nil {
			return err
		}
	}
	e.keepUp(known)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.clusterID, e.born = id, born
	return nil
}

// greetAll asks all others who they are. It returns what those said who answered, and the addresses of who did not.
func (e *ensemble) greetAll(ctx context.Context) (hellos []peer.Hello, missing []string) {
	ctx, cancel := context.WithTimeout(ctx, meetTimeout)
	defer cancel()
	var all sync.WaitGroup
	others := e.list()
	answers := make([]*peer.Hello, len(others))
	for i, o := range others {
		all.Go(func() {
			c, err := o.control.Connect(ctx)
			if err != nil {
				return
			}
			answers[i], _ = e.greet(ctx, o, c) // who does not answer now is asked again
		})
	}
	all.Wait()
	for i, h := range answers {
		switch {
		case h == nil:
			missing = append(missing, others[i].address)
		case h.RaftID != e.self:
			hellos = append(hellos, *h)
		}
	}
	return hellos, missing
}

// agree takes what the others said. It says whether this node knows enough to go on.
func (n *Node) agree(hellos []peer.Hello, missing []string) (bool, error) {
	about, controls := n.ensemble.about(), n.isController()
	for _, h := range hellos {
		switch {
		case h.NodeID == about.NodeID && controls:
			return false, fmt.Errorf("another controller has node.id=%d, too", h.NodeID)
		case h.ClusterID != "" && about.ClusterID != "" && h.ClusterID != about.ClusterID:
			return false, fmt.Errorf("controller %d is of cluster %s, this directory is of cluster %s; an empty directory joins the cluster that is there",
				h.NodeID, h.ClusterID, about.ClusterID)
		}
	}
	for _, h := range hellos {
		if h.Born {
			return true, n.ensemble.enterBorn(h)
		}
	}
	if len(missing) > 0 || !controls || !n.ensemble.isListed() || slices.ContainsFunc(hellos, func(h peer.Hello) bool { return h.Joins }) {
		return false, nil // a quorum is elsewhere, or begun by others
	}
	return n.ensemble.beget(hellos, about)
}

// isListed says that this node is one of the controllers that are configured.
func (e *ensemble) isListed() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.listed
}

// beget takes a step towards a quorum, now that all are there and none knows of one. It says whether this node begins it.
func (e *ensemble) beget(hellos []peer.Hello, about peer.Hello) (bool, error) {
	first := slices.MinFunc(append(hellos, about), func(a, b peer.Hello) int { return int(a.NodeID) - int(b.NodeID) })
	switch {
	case about.ClusterID == "" && first.NodeID == about.NodeID:
		id := newID()
		return false, e.enter(agreedCluster(hellos, base64.RawURLEncoding.EncodeToString(id[:])))
	case about.ClusterID == "":
		if first.ClusterID == "" {
			return false, nil
		}
		return false, e.enter(first.ClusterID)
	case first.NodeID != about.NodeID:
		return false, nil // it will say that the quorum is born
	}
	begun := quorum.Members{ConfState: &raftpb.ConfState{}, Contexts: make(map[uint64][]byte)}
	for _, h := range append(hellos, about) {
		if h.ClusterID != about.ClusterID {
			return false, nil // it will write it down
		}
		begun.Voters = append(begun.Voters, h.RaftID)
		begun.Contexts[h.RaftID] = h.Member().Encode()
	}
	slices.Sort(begun.Voters)
	e.keepUp(begun)
	return true, nil
}

// agreedCluster is the id that somebody's directory was formatted with, else a new one.
func agreedCluster(hellos []peer.Hello, fresh string) string {
	for _, h := range hellos {
		if h.ClusterID != "" {
			return h.ClusterID
		}
	}
	return fresh
}

// enterBorn takes a quorum that exists. Only one of its first voters that comes before anything was decided begins with its members,
// and its vote may make the first decision. Everybody else begins with nothing, and what the leader sends.
func (e *ensemble) enterBorn(h peer.Hello) error {
	if err := e.enter(h.ClusterID); err != nil {
		return err
	}
	if h.Begun || !slices.Contains(h.Voters, e.self) {
		e.met(h.Members)
		return nil
	}
	born := quorum.Members{ConfState: &raftpb.ConfState{Voters: h.Voters}, Contexts: make(map[uint64][]byte)}
	for _, m := range h.Members {
		born.Contexts[m.RaftID] = m.Encode()
	}
	e.keepUp(born)
	return nil
}

// bootstrap is how this node's raft log begins.
func (e *ensemble) bootstrap() (quorum.Bootstrap, error) {
	e.mu.Lock()
	m, strangers := e.members, len(e.others) > 0
	e.mu.Unlock()
	if m.ConfState == nil && strangers {
		e.node.logger.Info("the quorum is there: this controller joins it")
		return quorum.Bootstrap{Joins: true}, nil
	}
	term, reference, err := e.node.metadata.log.Adopt()
	return quorum.Bootstrap{Term: term, Data: reference, Voters: m.GetVoters(), Contexts: m.Contexts}, err
}

// enter writes the cluster's id down in every directory, and with it the directories' own.
func (e *ensemble) enter(clusterID string) error {
	for _, dir := range e.node.dirs {
		id := dir.Identity()
		id.ClusterID = clusterID
		if err := dir.SetIdentity(id); err != nil {
			return err
		}
	}
	e.mu.Lock()
	e.clusterID = clusterID
	e.mu.Unlock()
	return nil
}

// begun is called when the raft log is there, durably.
func (e *ensemble) begun(m quorum.Members) {
	e.mu.Lock()
	e.born, e.clusterID = true, e.node.clusterID
	e.mu.Unlock()
	e.keepUp(m)
}
