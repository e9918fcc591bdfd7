package storage

import (
	"sync"
	"testing"
)

func TestDeletingRecordsNeverTakesTheHighWatermarkBack(t *testing.T) {
	l := &Log{}
	l.settings.Store(&Settings{})
	l.firstUnstable.Store(-1)
	for i := range int64(2_000) {
		l.end.Store(i + 1)
		var both sync.WaitGroup
		both.Go(func() { l.SetHighWatermark(i + 1) })
		both.Go(func() { _ = l.DeleteRecordsBefore(i) })
		both.Wait()
		if at := l.HighWatermark(); at != i+1 {
			t.Fatalf("high watermark %d after it was set to %d", at, i+1)
		}
	}
}
