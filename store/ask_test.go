package store

import (
	"maps"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a Asking
		var asked atomic.Int32
		back := make(chan struct{})
		question := func(dir int64) int64 {
			asked.Add(1)
			if dir == 2 {
				<-back
			}
			return dir * 10
		}
		dirs := []int64{1, 2, 3}
		want := map[int64]int64{1: 10, 3: 30}
		for i, wait := range []time.Duration{AnswerWithin, 0, 0} { // it is waited for once
			began := time.Now()
			if got := Ask(&a, dirs, question); !maps.Equal(got, want) || time.Since(began) != wait {
				t.Errorf("time %d: answers %v after %v", i, got, time.Since(began))
			}
		}
		if n := asked.Load(); n != 1+2+2+2 {
			t.Errorf("%d questions", n)
		}
		close(back)
		synctest.Wait()
		want[2] = 20
		if got := Ask(&a, dirs, question); !maps.Equal(got, want) {
			t.Errorf("when it is back, answers are %v", got)
		}
	})
}
