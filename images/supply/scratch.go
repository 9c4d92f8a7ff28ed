package supply

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// scratch makes a build's own folder below parent, and first removes those of builds that were killed. A build holds a
// lock in its folder as long as its process lives; one lock of the parent keeps the making and removing apart.
func scratch(parent string) (dir string, remove func() error, err error) {
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return "", nil, fmt.Errorf("make scratch folder: %w", err)
	}
	var lease *flock.Flock
	err = alone(parent, func() (err error) {
		if err := sweep(parent); err != nil {
			return fmt.Errorf("remove what killed builds left: %w", err)
		}
		if dir, err = os.MkdirTemp(parent, "build-"); err != nil {
			return err
		}
		lease = flock.New(filepath.Join(dir, "lease"))
		return lease.Lock()
	})
	if err != nil {
		return "", nil, fmt.Errorf("make scratch folder: %w", err)
	}
	return dir, func() error {
		return alone(parent, func() error { return errors.Join(os.RemoveAll(dir), lease.Close()) })
	}, nil
}

func alone(parent string, do func() error) error {
	l := flock.New(filepath.Join(parent, ".lock"))
	if err := l.Lock(); err != nil {
		return err
	}
	return errors.Join(do(), l.Close())
}

func sweep(parent string) error {
	dirs, err := filepath.Glob(filepath.Join(parent, "build-*"))
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		lease := flock.New(filepath.Join(dir, "lease"))
		free, err := lease.TryLock()
		if err == nil && free {
			err = os.RemoveAll(dir)
		}
		if err := errors.Join(err, lease.Close()); err != nil {
			return err
		}
	}
	return nil
}
