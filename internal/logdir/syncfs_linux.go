package logdir

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// syncDisk writes out all of the disk's dirty pages ahead of the logs' own syncs, which alone decide what is durable: so
// its errors need no answer here, each file's sync reports them again.
func (d *Dir) syncDisk() {
	if d.o.FS != vfs.OS() {
		return
	}
	f, err := os.Open(d.o.Path)
	if err == nil {
		err = errors.Join(unix.Syncfs(int(f.Fd())), f.Close())
	}
	if err != nil {
		d.log.Warn("syncfs", "error", err)
	}
}
