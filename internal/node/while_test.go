package node

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhatIsAskedOfALeaderIsWaitedForNoLongerThanItLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		ctx, end := while(t.Context(), func() bool { return time.Since(begun) < time.Second })
		defer end()
		<-ctx.Done()
		if took := time.Since(begun); took < time.Second || took > time.Second+looksAgain {
			t.Errorf("waited for %s, it led for a second", took)
		}
	})
}

func TestNobodyLooksOnceTheAnswerIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looked atomic.Int32
		_, end := while(context.Background(), func() bool { looked.Add(1); return true })
		time.Sleep(looksAgain + looksAgain/2)
		end()
		time.Sleep(time.Minute)
		if n := looked.Load(); n != 1 {
			t.Errorf("looked %d times, want once before the end", n)
		}
	})
}
