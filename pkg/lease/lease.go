// Package lease says whether the process that made something is still alive, so that what a killed one has left can be
// removed, and nothing else. A lease is a file that its process holds locked (flock) from before it makes a thing to
// after it has removed it; the kernel drops the lock when the process ends, however it ends. A lock, unlike a process id,
// means the same in every pid namespace that shares the folder.
package lease

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
)

// suffix of a lease's file.
const suffix = ".lease"

// Lease is held until End or Drop.
type Lease struct{ lock *flock.Flock }

// Take makes and holds a lease in folder, under a name of 32 hexadecimal digits that nothing had before.
func Take(folder string) (name string, l *Lease, err error) {
	for range 16 {
		var random [16]byte
		rand.Read(random[:]) // never fails, crypto/rand
		name := hex.EncodeToString(random[:])
		l, err := lock(folder, name, os.O_CREATE|os.O_EXCL|os.O_RDWR)
		if l != nil || err != nil && !errors.Is(err, fs.ErrNotExist) {
			return name, l, err
		}
		// A sweep came between making the file and locking it.
		if _, err := os.Stat(folder); err != nil {
			return "", nil, err
		}
	}
	return "", nil, fmt.Errorf("take lease in %s: every new one was swept away", folder)
}

// Inherit takes over the lease of a process that has ended. It is nil where its holder lives, and the error
// fs.ErrNotExist where there is no such lease: then what it stood for is nobody's either.
func Inherit(folder, name string) (*Lease, error) { return lock(folder, name, os.O_RDWR) }

// lock is nil where somebody else holds the lease, and fs.ErrNotExist where it was removed meanwhile.
func lock(folder, name string, flag int) (*Lease, error) {
	l := &Lease{flock.New(filepath.Join(folder, name+suffix), flock.SetFlag(flag))}
	held, err := l.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock lease: %w", errors.Join(err, l.lock.Close()))
	}
	if !held {
		return nil, l.lock.Close()
	}
	if !l.current() {
		return nil, fmt.Errorf("lock lease: %w", errors.Join(fs.ErrNotExist, l.lock.Close()))
	}
	return l, nil
}

// current tells whether the locked file is still the one at its path.
func (l *Lease) current() bool {
	held, err := l.lock.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(l.lock.Path())
	return err == nil && os.SameFile(held, there)
}

// Names lists the leases in folder, whoever holds them.
func Names(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), suffix); ok && e.Type().IsRegular() {
			names = append(names, name)
		}
	}
	return names, nil
}

// End removes the lease. What it stands for has to be gone already.
func (l *Lease) End() error {
	return errors.Join(os.Remove(l.lock.Path()), l.lock.Close())
}

// Drop lets the lease go and leaves its file, as the process's death would: a sweep finds what is left.
func (l *Lease) Drop() error { return l.lock.Close() }
