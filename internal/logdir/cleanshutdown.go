package logdir

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// unknownBrokerEpoch is what a start without a readable marker reports, as in Kafka.
const unknownBrokerEpoch = -1

// shutdownMarker is `.kafka_cleanshutdown`. Kafka ignores fields that it does not know, so the marker also carries the nonce
// of the manifest written with it: a Kafka that ran since leaves a marker without it, or none.
type shutdownMarker struct {
	Version     int    `json:"version"`
	BrokerEpoch *int64 `json:"brokerEpoch,omitempty"`
	Manifest    string `json:"barnabasManifest,omitempty"`
}

// readShutdownMarker reports whether the last stop was clean. Old Kafkas left an empty file, so the file is the fact
// and its contents are extras: what cannot be read of them is taken as absent.
func readShutdownMarker(fsys vfs.FS, dir string) (m shutdownMarker, clean bool, err error) {
	b, err := vfs.ReadFile(fsys, filepath.Join(dir, cleanShutdownName))
	if errors.Is(err, fs.ErrNotExist) {
		return shutdownMarker{}, false, nil
	}
	if err != nil {
		return shutdownMarker{}, false, err
	}
	return parseShutdownMarker(b), true, nil
}

func parseShutdownMarker(b []byte) shutdownMarker {
	var m shutdownMarker
	if json.Unmarshal(b, &m) != nil {
		return shutdownMarker{}
	}
	return m
}

func (m shutdownMarker) encode() ([]byte, error) { return json.Marshal(m) }
