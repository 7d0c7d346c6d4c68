package dir

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// samplesLock is the name of the lock of a sample directory.
const samplesLock = "nvrfs-store.lock"

// LockSamples takes the lock of a sample directory, or returns ErrLocked, which says who has it. data is the data directory
// whose recorder takes it: that directory may have been copied, and each of the two would delete the footage of the other.
// Readers need no lock, and this one is in nobody's way.
//
// One data directory may take it several times, since its database may have two paths of one directory: the disk was mounted
// elsewhere, and a symbolic link was left.
func LockSamples(dir, data string) (*Lock, error) {
	if abs, err := filepath.Abs(data); err == nil {
		data = abs
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("lock sample directory %s: %w", dir, err)
	}
	what, path := "sample directory "+dir, filepath.Join(dir, samplesLock)
	for {
		s, mine := claim(info, data)
		if mine {
			return s.take(path, what)
		}
		if s.data != data {
			return nil, locked(path, what)
		}
		<-s.tried
		if l := s.share(); l != nil {
			return l, nil
		}
	}
}

// sharedLock is the lock of a sample directory that this process has, or tries to take.
type sharedLock struct {
	dir   os.FileInfo
	data  string
	tried chan struct{} // closed when it was taken, or could not be

	f     *os.File // guarded by locks.mu, as all below; nil while it is not taken
	users int
}

// locks are those of this process.
var locks struct {
	mu  sync.Mutex
	all []*sharedLock
}

// claim returns the lock of a directory, which is the caller's to take if nobody in this process has it, or tries.
func claim(dir os.FileInfo, data string) (s *sharedLock, mine bool) {
	locks.mu.Lock()
	defer locks.mu.Unlock()
	for _, s := range locks.all {
		if os.SameFile(s.dir, dir) {
			return s, false
		}
	}
	s = &sharedLock{dir: dir, data: data, tried: make(chan struct{})}
	locks.all = append(locks.all, s)
	return s, true
}

// take takes a lock that was claimed.
func (s *sharedLock) take(path, what string) (*Lock, error) {
	host, _ := os.Hostname() // of a directory on a file server, the other may be the recorder of another host
	l, err := take(path, what, fmt.Sprintf("%d of host %s, data directory %s", os.Getpid(), host, s.data))
	locks.mu.Lock()
	defer locks.mu.Unlock()
	defer close(s.tried)
	if err != nil {
		s.forgetLocked()
		return nil, err
	}
	s.f, s.users, l.shared = l.f, 1, s
	return l, nil
}

// share returns another lock like one that was taken, or nil where it was given back meanwhile.
func (s *sharedLock) share() *Lock {
	locks.mu.Lock()
	defer locks.mu.Unlock()
	if s.users == 0 {
		return nil
	}
	s.users++
	return &Lock{f: s.f, shared: s}
}

func (s *sharedLock) release() error {
	locks.mu.Lock()
	defer locks.mu.Unlock()
	if s.users--; s.users > 0 {
		return nil
	}
	s.forgetLocked()
	return s.f.Close()
}

func (s *sharedLock) forgetLocked() {
	locks.all = slices.DeleteFunc(locks.all, func(x *sharedLock) bool { return x == s })
}
