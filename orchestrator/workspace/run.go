package workspace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/scangate/scangate/pkg/lease"
)

const runPrefix = "run-"

// run is the folder of one snapshot below the store: the blobs, and whatever the run lays out beside them. It is mode
// 0700: it holds a copy of what may be private. Its lease stands beside it.
type run struct {
	dir   string
	lease *lease.Lease
}

func newRun(store string) (*run, error) {
	if err := os.MkdirAll(store, 0o700); err != nil {
		return nil, err
	}
	name, l, err := lease.Take(store)
	if err != nil {
		return nil, err
	}
	r := &run{dir: filepath.Join(store, runPrefix+name), lease: l}
	for _, dir := range []string{r.dir, r.blobs()} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return nil, errors.Join(err, r.remove())
		}
	}
	return r, nil
}

func (r *run) blobs() string { return filepath.Join(r.dir, "blobs") }

// remove gives the lease back last, so that a removal cut short is taken up by the next sweep.
func (r *run) remove() error {
	if err := os.RemoveAll(r.dir); err != nil {
		return errors.Join(err, r.lease.Drop())
	}
	return r.lease.End()
}

// Sweep removes what killed runs have left in store: every run whose lease nobody holds.
func Sweep(store string) error {
	// Folders before leases: a run that starts in between is not among the folders, and one among them has had its lease
	// before and keeps it for longer.
	entries, err := os.ReadDir(store)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sweep runs: %w", err)
	}
	names, err := lease.Names(store)
	if err != nil {
		return fmt.Errorf("sweep runs: %w", err)
	}
	for _, e := range entries {
		if name, ok := strings.CutPrefix(e.Name(), runPrefix); ok && e.IsDir() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var faults []error
	for _, name := range slices.Compact(names) {
		if err := sweepRun(store, name); err != nil {
			faults = append(faults, fmt.Errorf("sweep runs: %w", err))
		}
	}
	return errors.Join(faults...)
}

func sweepRun(store, name string) error {
	dir := filepath.Join(store, runPrefix+name)
	l, err := lease.Inherit(store, name)
	if errors.Is(err, fs.ErrNotExist) { // a run has its lease for longer than its folder
		return os.RemoveAll(dir)
	}
	if err != nil || l == nil {
		return err
	}
	return (&run{dir: dir, lease: l}).remove()
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
