package workspace

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Materialise lays v out in dir, which must not exist and lies in s.Dir(). Files are hard links to the stored contents,
// 0444 or 0555 in folders 0755: any user that is given dir can read them.
func (s *Snapshot) Materialise(v View, dir string) error {
	if !strings.HasPrefix(filepath.Clean(dir), s.Dir()+string(filepath.Separator)) {
		return fmt.Errorf("lay out view: %s is not in the run folder", dir)
	}
	if err := s.layOut(v, dir); err != nil {
		return fmt.Errorf("lay out view: %w", err)
	}
	return nil
}

func (s *Snapshot) layOut(v View, dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	made := map[string]bool{}
	if err := makeFolder(dir, "", made); err != nil {
		return err
	}
	for _, e := range v.Entries {
		if err := makeFolder(dir, dirOf(e.Path), made); err != nil {
			return err
		}
		at := filepath.Join(dir, e.Path)
		var err error
		if e.Role == Added {
			err = writeFile(at, strings.NewReader(v.added[e.Digest]), blobMode(e.Executable))
		} else {
			err = s.link(e, at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// makeFolder makes the folder at path of a view, and those above it, with a mode that no umask narrows.
func makeFolder(root, path string, made map[string]bool) error {
	if made[path] {
		return nil
	}
	if path != "" {
		if err := makeFolder(root, dirOf(path), made); err != nil {
			return err
		}
	}
	at := filepath.Join(root, path)
	if err := os.Mkdir(at, 0o755); err != nil {
		return err
	}
	made[path] = true
	return os.Chmod(at, 0o755)
}

// link gives a content one more name, or a copy: an inode has a bounded number of names (ext4: 65,000), and some file
// systems know no second one.
func (s *Snapshot) link(e Entry, at string) error {
	from := filepath.Join(s.blobs.dir, blobName(e.Digest, e.Executable))
	err := os.Link(from, at)
	for _, refused := range []error{syscall.EMLINK, syscall.EPERM, syscall.ENOTSUP} {
		if errors.Is(err, refused) {
			r, err := os.Open(from)
			if err != nil {
				return err
			}
			defer r.Close()
			return writeFile(at, r, blobMode(e.Executable))
		}
	}
	return err
}

func writeFile(at string, from io.Reader, mode os.FileMode) error {
	f, err := os.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Chmod(mode), f.Close())
}
