package logdir

import (
	"encoding/hex"
	"fmt"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Delete gives up a log: on return its name is free and nobody can use it, its files go after file.delete.delay.ms or
// at the next start. The id must be the log's, so that a late delete of an old topic cannot hit the new one of that name
// (kerr.InconsistentTopicID); a log without an id is anybody's.
func (d *Dir) Delete(topic string, partition int32, id [16]byte) error {
	return d.setAside(key{topic, partition}, id, deleteSuffix)
}

// Stray sets a log aside that the metadata does not know, for a person to look at: it is never removed by us, and each is logged.
func (d *Dir) Stray(topic string, partition int32, id [16]byte) error {
	return d.setAside(key{topic, partition}, id, straySuffix)
}

func (d *Dir) setAside(k key, id [16]byte, suffix string) error {
	d.mu.RLock()
	e, closed := d.logs[k], d.closed
	d.mu.RUnlock()
	if closed {
		return ErrClosed
	}
	if e == nil {
		return fmt.Errorf("%s: no log in %s: %w", k, d.o.Path, kerr.UnknownTopicOrPartition)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.gone {
		return fmt.Errorf("%s: no log in %s: %w", k, d.o.Path, kerr.UnknownTopicOrPartition)
	}
	if has := d.topicID(e); has != id && has != ([16]byte{}) {
		return fmt.Errorf("%s: its log belongs to topic id %s, not %s: %w", k, formatUUID(has), formatUUID(id), kerr.InconsistentTopicID)
	}
	return d.renameAway(e, suffix)
}

// renameAway closes a log and renames its folder. e.mu is held. What it wrote last does not matter any more, so an error of
// closing it is only worth a line.
func (d *Dir) renameAway(e *entry, suffix string) error {
	d.cleaner.stop(e)
	if err := d.release(e); err != nil {
		d.log.Warn("closing a log that is being given up", "partition", e.key.String(), "error", err)
	}
	unique := d.o.NewID()
	renamed := filepath.Join(d.o.Path, suffixedFolder(e.key, hex.EncodeToString(unique[:]), suffix))
	if err := d.disk.Rename(d.folder(e.key), renamed); err != nil {
		return fmt.Errorf("%s: %w: %w", e.key, err, kerr.KafkaStorageError)
	}
	e.gone, e.lazy, e.offline = true, nil, nil
	d.checked(e)
	d.mu.Lock()
	delete(d.logs, e.key)
	d.listed--
	d.stale[e.key] = struct{}{}
	d.mu.Unlock()
	if suffix == straySuffix {
		d.log.Warn("a log that the metadata does not know is set aside", "topic", e.topic, "partition", e.partition,
			"topic_id", formatUUID(d.topicID(e)), "folder", filepath.Base(renamed))
	} else {
		delay := time.Duration(d.o.Settings(e.topic).FileDeleteDelayMs) * time.Millisecond
		d.keeper.removeAt(renamed, d.o.Now().Add(delay))
	}
	d.keeper.checkpointSoon()
	return nil
}
