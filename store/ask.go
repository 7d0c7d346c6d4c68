package store

import "time"

// AnswerWithin is how long a disk may take to answer a question: longer than a disk takes to spin up.
const AnswerWithin = 5 * time.Second

// Asking keeps a goroutine that asks several disks from hanging with one of them. A system call about a disk that hangs, as on a file server
// that is gone, returns when the disk is back, or never, and nothing ends it but the end of the process. So each question has
// a goroutine, which is left behind when the answer takes too long: one for each directory at most. Only one goroutine may
// use an Asking.
type Asking struct {
	busy map[int64]chan struct{} // by sample directory: closed when its last question is answered
}

// Ask asks a question about several sample directories, all at once, and returns the answers that come in time. A directory that has not answered the last question yet is not asked.
func Ask[T any](a *Asking, dirs []int64, question func(dir int64) T) map[int64]T {
	type answer struct {
		dir int64
		t   T
	}
	answers, asked := make(chan answer, len(dirs)), 0 // has room for those that nobody waits for any more
	for _, dir := range dirs {
		if !a.idle(dir) {
			continue
		}
		asked++
		done := make(chan struct{})
		a.busy[dir] = done
		go func() {
			answers <- answer{dir, question(dir)}
			close(done)
		}()
	}
	given := map[int64]T{}
	late := time.NewTimer(AnswerWithin)
	defer late.Stop()
	for range asked {
		select {
		case x := <-answers:
			given[x.dir] = x.t
			<-a.busy[x.dir] // it may be asked again at once
		case <-late.C:
			return given
		}
	}
	return given
}

// idle reports whether no question to a directory is under way.
func (a *Asking) idle(dir int64) bool {
	if a.busy == nil {
		a.busy = map[int64]chan struct{}{}
	}
	select {
	case <-a.busy[dir]: // blocks where it is nil
		return true
	default:
		return a.busy[dir] == nil
	}
}
