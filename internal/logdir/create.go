package logdir

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/storage"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// Create makes an empty log for a partition of the topic with that id, and returns the one that is there already if it is
// the same topic's. If another topic's is there, of the same name, the error wraps kerr.InconsistentTopicID: delete it
// or set it aside first; so it is, too, for a log with records but no topic id. When it fails it leaves nothing behind. The new log is durable with its first Flush.
func (d *Dir) Create(topic string, partition int32, id [16]byte) (*storage.Log, error) {
	if _, err := d.Hold(topic, partition, id); err != nil {
		return nil, err
	}
	return d.Get(topic, partition)
}

// Hold is Create for an owner that does not need the log yet: one that can be opened without touching a file stays closed
// until Get, and costs a part of the memory. A log of that topic id that was set aside before the start is taken back where there is
// no other.
func (d *Dir) Hold(topic string, partition int32, id [16]byte) (held Held, err error) {
	k := key{topic, partition}
	if err := checkTopic(topic); err != nil {
		return Held{}, err
	}
	if partition < 0 || len(k.String()) > maxFolderName {
		return Held{}, fmt.Errorf("%s: %w", k, kerr.InvalidPartitions)
	}
	for {
		e, mine, err := d.reserveName(k, id)
		if err != nil {
			return Held{}, err
		}
		folders := d.straysOf(id, partition)
		switch {
		case mine && len(folders) > 0:
			err = d.keep(e, d.takeBack(e, folders))
			e.mu.Unlock()
			if err == nil {
				continue
			}
		case mine:
			held, err = d.make(e)
			e.mu.Unlock()
		default:
			if held, err = d.takeOver(e, id); errors.Is(err, errGone) {
				continue
			}
		}
		return held, err
	}
}

var errGone = errors.New("deleted meanwhile")

// reserveName returns the entry of a name: a new one, locked and not yet listed, if there was none.
func (d *Dir) reserveName(k key, id [16]byte) (e *entry, mine bool, err error) {
	fresh := &entry{key: k, topicID: id}
	fresh.mu.Lock() // nobody else knows it yet
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, false, ErrClosed
	}
	if e := d.logs[k]; e != nil {
		return e, false, nil
	}
	d.logs[k] = fresh
	return fresh, true, nil
}

// make creates the files of a new entry. e.mu is held.
func (d *Dir) make(e *entry) (Held, error) {
	l, err := d.makeFiles(e)
	if err == nil && !d.enter(e) {
		_, err = l.Close(false)
		err = errors.Join(ErrClosed, err, d.disk.RemoveAll(d.folder(e.key)))
	}
	if err := d.keep(e, err); err != nil {
		return Held{}, err
	}
	d.adopt(e, l)
	held := d.rest(e, l)
	d.claim(e)
	d.keeper.checkpointSoon()
	return held, nil
}

// keep gives the name of a new entry up again if there was trouble. e.mu is held.
func (d *Dir) keep(e *entry, trouble error) error {
	if trouble == nil {
		return nil
	}
	d.mu.Lock()
	delete(d.logs, e.key)
	d.mu.Unlock()
	e.gone = true
	return fmt.Errorf("create %s: %w: %w", e.key, trouble, kerr.KafkaStorageError)
}

// enter lists a new log, unless the directory was closed meanwhile.
func (d *Dir) enter(e *entry) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	e.listed = true
	d.listed++
	return true
}

func (d *Dir) makeFiles(e *entry) (*storage.Log, error) {
	if err := d.Writable(); err != nil {
		return nil, err
	}
	if err := d.forgetStale(e.key); err != nil {
		return nil, err
	}
	folder := d.folder(e.key)
	if _, err := d.disk.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
		// Not ours to use: on a file system that ignores case it may be that of another topic.
		return nil, fmt.Errorf("folder %s is in the way: %w", folder, errors.Join(fs.ErrExist, err))
	}
	l, err := d.fillFolder(e, folder)
	if err != nil {
		return nil, errors.Join(err, d.disk.RemoveAll(folder))
	}
	return l, nil
}

// fillFolder writes the topic id first: a folder with records always says whose they are.
func (d *Dir) fillFolder(e *entry, folder string) (*storage.Log, error) {
	if err := d.disk.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	if e.topicID != ([16]byte{}) {
		if err := d.writeTopicID(e.key, e.topicID); err != nil {
			return nil, err
		}
	}
	return storage.Create(d.logOptions(e))
}

func (d *Dir) writeTopicID(k key, id [16]byte) error {
	return vfs.WriteFileAtomic(d.disk, filepath.Join(d.folder(k), partitionMetadataName), encodePartitionMetadata(id), false)
}

// takeOver returns an existing log if it is the topic's. One without an id becomes the topic's only if it has no records.
func (d *Dir) takeOver(e *entry, id [16]byte) (Held, error) {
	e.mu.Lock()
	gone, has, resting := e.gone, d.topicID(e), e.resting()
	e.mu.Unlock()
	if gone {
		return Held{}, errGone
	}
	none := [16]byte{}
	if has != id && has != none && id != none {
		return Held{}, fmt.Errorf("%s: its log belongs to topic id %s, not %s: %w", e.key, formatUUID(has), formatUUID(id), kerr.InconsistentTopicID)
	}
	adopts := has == none && id != none
	if resting != nil && !adopts {
		d.claim(e)
		return *resting, nil
	}
	l, err := d.openEntry(e)
	if err != nil {
		d.claim(e)
		return Held{}, err
	}
	if adopts {
		d.claim(e)
		return heldOpen(l), d.assignTopicID(e, l, id)
	}
	e.mu.Lock()
	held := d.rest(e, l)
	e.mu.Unlock()
	d.claim(e) // after it is known whether anything can be due
	return held, nil
}

func (d *Dir) assignTopicID(e *entry, l *storage.Log, id [16]byte) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if l.EndOffset() > 0 {
		return fmt.Errorf("%s: its log has records but no topic id: %w", e.key, kerr.InconsistentTopicID)
	}
	if err := d.writeTopicID(e.key, id); err != nil {
		return fmt.Errorf("%s: %w: %w", e.key, err, kerr.KafkaStorageError)
	}
	d.mu.Lock()
	e.topicID = id
	d.mu.Unlock()
	e.settled.Store(false)
	return nil
}

// passing tells trouble that another attempt may not have from damage that stays.
func passing(err error) bool {
	return vfs.IsNoSpace(err) || errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.EINTR)
}
