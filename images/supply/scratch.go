package supply

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/scangate/scangate/pkg/lease"
)

// scratch makes a build's own folder below parent, beside a lease that lasts as long as the process, and first removes
// those of builds that were killed.
func scratch(parent string) (dir string, remove func() error, err error) {
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return "", nil, fmt.Errorf("make scratch folder: %w", err)
	}
	if err := sweep(parent); err != nil {
		return "", nil, fmt.Errorf("remove what killed builds left: %w", err)
	}
	name, l, err := lease.Take(parent)
	if err != nil {
		return "", nil, fmt.Errorf("make scratch folder: %w", err)
	}
	dir = filepath.Join(parent, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", nil, fmt.Errorf("make scratch folder: %w", errors.Join(err, l.End()))
	}
	return dir, func() error { return discard(dir, l) }, nil
}

// discard gives the lease back last, so that a removal cut short is taken up by the next build.
func discard(dir string, l *lease.Lease) error {
	if err := os.RemoveAll(dir); err != nil {
		return errors.Join(err, l.Drop())
	}
	return l.End()
}

func sweep(parent string) error {
	names, err := lease.Names(parent)
	if err != nil {
		return err
	}
	for _, name := range names {
		l, err := lease.Inherit(parent, name)
		if l == nil && (err == nil || errors.Is(err, fs.ErrNotExist)) { // it lives, or another sweep was here
			continue
		}
		if err == nil {
			err = discard(filepath.Join(parent, name), l)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
