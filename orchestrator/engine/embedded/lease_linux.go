//go:build linux && cgo

package embedded

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// A run has a folder <root>/runs/<id>/ for libcontainer's state and a file <root>/runs/<id>.lease, locked for as long as
// the process lives. Whoever can lock a lease may remove the run.
const leaseSuffix = ".lease"

// takeLease makes a run of our own.
func takeLease(runs string) (id string, lease *os.File, err error) {
	if err := os.MkdirAll(runs, 0o700); err != nil {
		return "", nil, err
	}
	for {
		id = strings.ToLower(rand.Text()[:12])
		f, err := os.OpenFile(filepath.Join(runs, id+leaseSuffix), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return "", nil, err
		}
		mine, err := lock(f)
		if err != nil {
			return "", nil, errors.Join(err, f.Close())
		}
		if mine {
			return id, f, os.Mkdir(filepath.Join(runs, id), 0o700)
		}
		// A sweep was quicker and is removing the file.
		if err := f.Close(); err != nil {
			return "", nil, err
		}
	}
}

// lock locks a lease, unless somebody else has it or has removed it.
func lock(f *os.File) (bool, error) {
	switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err {
	case nil:
	case unix.EWOULDBLOCK:
		return false, nil
	default:
		return false, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return false, fmt.Errorf("stat %s: %w", f.Name(), err)
	}
	return st.Nlink > 0, nil
}

// Sweep removes what killed runs have left: cgroups and state. Their processes have ended with them.
func (e *embedded) Sweep(ctx context.Context) error {
	entries, err := os.ReadDir(e.runs)
	if err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	for _, x := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		id, ok := strings.CutSuffix(x.Name(), leaseSuffix)
		if !ok || id == e.run {
			continue
		}
		if err := e.sweepRun(id); err != nil {
			return fmt.Errorf("sweep run %s: %w", id, err)
		}
	}
	return nil
}

func (e *embedded) sweepRun(id string) error {
	lease, err := os.OpenFile(filepath.Join(e.runs, id+leaseSuffix), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer lease.Close()
	free, err := lock(lease)
	if err != nil || !free {
		return err
	}
	return e.removeRun(id, lease)
}

// removeRun removes a run whose lease is ours. The lease goes last, so that a sweep cut short is taken up by the next.
func (e *embedded) removeRun(id string, lease *os.File) error {
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
	return errors.Join(os.RemoveAll(dir), os.Remove(lease.Name()))
}
