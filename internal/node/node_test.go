package node_test

import (
	"testing"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

func TestX(t *testing.T) {
	disk := vfs.NewMem()
	p := mustLaunch(t, disk, nil)
	_, err := p.client.createTopic("orders", 2, nil)
	must(t, err)
	must(t, p.client.commit("g", "orders", 0, 5))
	p.mustStop(t)
	p = mustLaunch(t, disk, nil)
	got, err := p.client.committed("g", "orders", 0)
	must(t, err)
	t.Log(got)
	p.mustStop(t)
}
