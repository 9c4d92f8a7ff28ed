//go:build linux && cgo

package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/scangate/scangate/pkg/lease"
)

// takeRun makes a run of our own: a folder <runs>/<id>/ for libcontainer's state, beside its lease.
func takeRun(runs string) (id string, l *lease.Lease, err error) {
	if err := os.MkdirAll(runs, 0o700); err != nil {
		return "", nil, err
	}
	if id, l, err = lease.Take(runs); err != nil {
		return "", nil, err
	}
	if err := os.Mkdir(filepath.Join(runs, id), 0o700); err != nil {
		return "", nil, errors.Join(err, l.End())
	}
	return id, l, nil
}

// Sweep removes what killed runs have left: cgroups and state. Their processes have ended with them.
func (e *embedded) Sweep(ctx context.Context) error {
	ids, err := lease.Names(e.runs)
	if err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := e.sweepRun(id); err != nil {
			return fmt.Errorf("sweep run %s: %w", id, err)
		}
	}
	return nil
}

func (e *embedded) sweepRun(id string) error {
	l, err := lease.Inherit(e.runs, id)
	if l == nil && (err == nil || errors.Is(err, fs.ErrNotExist)) { // it lives, or another sweep was here
		return nil
	}
	if err != nil {
		return err
	}
	return e.removeRun(id, l)
}

// removeRun removes a run whose lease is ours. The lease goes last, so that a sweep cut short is taken up by the next.
func (e *embedded) removeRun(id string, l *lease.Lease) error {
	if err := e.removeState(id); err != nil {
		return errors.Join(err, l.Drop())
	}
	return l.End()
}

func (e *embedded) removeState(id string) error {
	dir := filepath.Join(e.runs, id)
	jobs, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !e.rootless {
		cgroups := []string{id} // of tryCgroup
		for _, j := range jobs {
			cgroups = append(cgroups, j.Name())
		}
		for _, c := range cgroups {
			if err := removeCgroup(c); err != nil {
				return fmt.Errorf("remove cgroup %s: %w", c, err)
			}
		}
	}
	return os.RemoveAll(dir)
}
