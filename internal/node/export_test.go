package node

import (
	"context"

	"github.com/barnabas-mq/barnabas/internal/meta"
)

// AwaitImage waits until the metadata that this node acts on is as wanted.
func (n *Node) AwaitImage(ctx context.Context, wanted func(*meta.Image) bool) error {
	return n.publisher.awaitImage(ctx, wanted)
}
