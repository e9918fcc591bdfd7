package node

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/barnabas-mq/barnabas/internal/client"
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

var errNotAVoter = errors.New("the quorum exists, and this node is none of its voters")

// meet finds out, with the other controllers, which cluster this is and who its first voters are.
//
// A quorum is born once: by the controller with the lowest node id, and only when every one that is configured has answered, none
// knows of a quorum, and all have written down the cluster's id, and with it their directory ids, by which they vote. Who has
// lost its disk has another directory id, and finds a quorum that does not know it.
func (n *Node) meet(ctx context.Context) error {
	e := n.ensemble
	if err := n.recall(); err != nil || e.alone() {
		return err
	}
	if e.born {
		return nil
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
			n.logger.Info("waiting for the other controllers: a quorum begins when all have been there once", "missing", missing)
		}
		if err := pause(ctx, meetAgain); err != nil {
			return fmt.Errorf("waiting for controllers %v: %w", missing, err)
		}
	}
}

// recall is what this node knows from before: its cluster, and whether it has a raft log.
func (n *Node) recall() error {
	e := n.ensemble
	id, err := n.knownCluster()
	if err != nil {
		return err
	}
	voters, born, err := quorum.Born(n.options.FS, filepath.Join(n.metadata.path, raftFolder), n.metadataOwner().Identity().DirectoryID)
	if err != nil {
		return err
	}
	e.settle(voters)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.clusterID, e.born = id, born
	return nil
}

// settle forgets the other controllers if this node is the only voter: the only one that is configured may be this node under a
// name that it does not know itself by.
func (e *ensemble) settle(voters []uint64) {
	if len(voters) == 1 && voters[0] == e.about().RaftID {
		e.others = nil
	}
}

// greetAll asks all others who they are. It returns what those said who answered, and the addresses of who did not.
func (e *ensemble) greetAll(ctx context.Context) (hellos []peer.Hello, missing []string) {
	ctx, cancel := context.WithTimeout(ctx, meetTimeout)
	defer cancel()
	var all sync.WaitGroup
	answers := make([]*peer.Hello, len(e.others))
	for i, o := range e.others {
		all.Go(func() {
			c, err := client.Dial(ctx, client.Options{Address: o.address, ClientID: "hello", Version: "1"})
			if err != nil {
				return
			}
			defer c.Close()
			answers[i], _ = o.greet(ctx, c) // who does not answer now is asked again
		})
	}
	all.Wait()
	for i, h := range answers {
		if h == nil {
			missing = append(missing, e.others[i].address)
		} else {
			hellos = append(hellos, *h)
		}
	}
	return hellos, missing
}

// agree takes what the others said. It says whether this node knows enough to go on.
func (n *Node) agree(hellos []peer.Hello, missing []string) (bool, error) {
	e, about := n.ensemble, n.ensemble.about()
	hellos = slices.DeleteFunc(hellos, func(h peer.Hello) bool { return h.RaftID == about.RaftID }) // this node, by another name
	for _, h := range hellos {
		switch {
		case h.NodeID == about.NodeID:
			return false, fmt.Errorf("another controller has node.id=%d, too", h.NodeID)
		case h.ClusterID != "" && about.ClusterID != "" && h.ClusterID != about.ClusterID:
			return false, fmt.Errorf("controller %d is of cluster %s, this directory is of cluster %s; an empty directory joins the cluster that is there",
				h.NodeID, h.ClusterID, about.ClusterID)
		}
	}
	for _, h := range hellos {
		if h.Born {
			return true, n.joinBorn(h, about)
		}
	}
	if len(missing) > 0 {
		return false, nil
	}
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
	voters := []uint64{about.RaftID}
	for _, h := range hellos {
		if h.ClusterID != about.ClusterID {
			return false, nil // it will write it down
		}
		voters = append(voters, h.RaftID)
	}
	slices.Sort(voters)
	e.mu.Lock()
	e.voters = voters
	e.mu.Unlock()
	e.settle(voters)
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

// joinBorn takes a quorum that exists: this node is one of its first voters, which has not begun yet.
func (n *Node) joinBorn(h, about peer.Hello) error {
	if !slices.Contains(h.Voters, about.RaftID) {
		return fmt.Errorf("%w: controller %d of cluster %s does not name this directory (%s). Was the disk replaced? "+
			"Remove the old voter and add this one", errNotAVoter, h.NodeID, h.ClusterID, about.DirectoryID)
	}
	n.ensemble.mu.Lock()
	n.ensemble.voters = h.Voters
	n.ensemble.mu.Unlock()
	return nil
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
func (e *ensemble) begun(voters []uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.born, e.voters, e.clusterID = true, voters, e.node.clusterID
}
