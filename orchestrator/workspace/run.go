package workspace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
)

const (
	runPrefix  = "run-"
	gonePrefix = "gone-" // nobody's any more
)

// run is the folder of one snapshot below the store: a lease, which is locked as long as the run lives, the blobs, and
// whatever the run lays out beside them. It is mode 0700: it holds a copy of what may be private.
type run struct {
	dir   string
	lease *flock.Flock
}

func newRun(store string) (*run, error) {
	if err := os.MkdirAll(store, 0o700); err != nil {
		return nil, err
	}
	// Between mkdir and lock a Sweep may take the folder for an abandoned one; then the next try has a new one.
	for range 16 {
		dir, err := os.MkdirTemp(store, runPrefix)
		if err != nil {
			return nil, err
		}
		r := &run{dir: dir, lease: flock.New(filepath.Join(dir, "lease"))}
		held, err := r.lease.TryLock()
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if held && r.leased() {
			if err := os.Mkdir(r.blobs(), 0o700); err != nil {
				return nil, errors.Join(err, r.remove())
			}
			return r, nil
		}
		if err := r.lease.Close(); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("every new folder was swept away")
}

// leased tells whether the locked file is still the one at its path.
func (r *run) leased() bool {
	held, err := r.lease.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(r.lease.Path())
	return err == nil && os.SameFile(held, there)
}

func (r *run) blobs() string { return filepath.Join(r.dir, "blobs") }

func (r *run) remove() error {
	return errors.Join(discard(r.dir), r.lease.Close())
}

// discard removes a run's folder under another name: in one that still has a run's, a sweep could make a lease anew while
// it is being emptied.
func discard(dir string) error {
	gone := filepath.Join(filepath.Dir(dir), gonePrefix+filepath.Base(dir))
	if err := os.Rename(dir, gone); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.RemoveAll(gone)
}

// Sweep removes what killed runs have left in store: every run's folder whose lease nobody holds.
func Sweep(store string) error {
	entries, err := os.ReadDir(store)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sweep runs: %w", err)
	}
	var faults []error
	for _, e := range entries {
		dir, sweep := filepath.Join(store, e.Name()), sweepRun
		switch {
		case e.IsDir() && strings.HasPrefix(e.Name(), runPrefix):
		case e.IsDir() && strings.HasPrefix(e.Name(), gonePrefix):
			sweep = os.RemoveAll
		default:
			continue
		}
		if err := sweep(dir); err != nil {
			faults = append(faults, fmt.Errorf("sweep runs: %w", err))
		}
	}
	return errors.Join(faults...)
}

func sweepRun(dir string) error {
	lease := flock.New(filepath.Join(dir, "lease"))
	defer lease.Close()
	held, err := lease.TryLock()
	if errors.Is(err, fs.ErrNotExist) { // its run, or another sweep, was faster
		return nil
	}
	if err != nil || !held {
		return err
	}
	return discard(dir)
}

// Outside refuses a store that is the folder or lies in it: a snapshot would take itself in. The store may be absent.
func Outside(store, folder string) error {
	inner, err := os.Stat(folder)
	if err != nil {
		return err
	}
	at, err := filepath.Abs(store)
	if err != nil {
		return err
	}
	for { // what does not exist yet will be made below what does
		real, err := filepath.EvalSymlinks(at)
		if err == nil {
			at = real
			break
		}
		if !errors.Is(err, fs.ErrNotExist) || at == filepath.Dir(at) {
			return err
		}
		at = filepath.Dir(at)
	}
	for {
		info, err := os.Stat(at)
		if err != nil {
			return err
		}
		if os.SameFile(info, inner) {
			return fmt.Errorf("store %s lies in the workspace", store)
		}
		if at == filepath.Dir(at) {
			return nil
		}
		at = filepath.Dir(at)
	}
}
