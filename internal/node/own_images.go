package node

import (
	"sync"

	"github.com/barnabas-mq/barnabas/internal/meta"
)

// ownImages are those that this node's controller has made of what it appended and what is not committed yet. The broker takes
// them over instead of its own, which are equal, so that a node has each partition's state once.
type ownImages struct {
	mu    sync.Mutex // held while the controller appends: what is committed at once waits for the end that it got
	under []ownImage // way, by rising end
}

type ownImage struct {
	end   int64
	image *meta.Image
}

// append remembers the image that a batch leads to by the end that the batch gets.
func (o *ownImages) append(image *meta.Image, write func() (int64, error)) (int64, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	end, err := write()
	if err == nil {
		o.under = append(o.under, ownImage{end, image})
	}
	return end, err
}

// take gives the image of what is committed up to an end, nil if another controller, or an earlier life of this one, has decided it.
func (o *ownImages) take(end int64) *meta.Image {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.under) > 0 && o.under[0].end <= end {
		first := o.under[0]
		o.under[0] = ownImage{}
		o.under = o.under[1:]
		if first.end == end {
			return first.image
		}
	}
	return nil
}

// forget is for a controller that resigns: whether what it appended is committed, another decides.
func (o *ownImages) forget() {
	o.mu.Lock()
	o.under = nil
	o.mu.Unlock()
}
