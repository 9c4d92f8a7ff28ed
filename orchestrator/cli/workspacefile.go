package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// maxWorkspaceFile is more than a policy or a lock may have; both say better what is wrong with one that is too large.
const maxWorkspaceFile = 8 << 20

// readWorkspaceFile reads a file of the workspace, which is not trusted: no link is followed, a FIFO of that name must
// not hang the gate, nor a large file eat its memory. It is nil where there is none.
func readWorkspaceFile(name string) ([]byte, error) {
	base := filepath.Base(name)
	seen, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if !seen.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", base)
	}
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if opened, err := f.Stat(); err != nil {
		return nil, err
	} else if !os.SameFile(seen, opened) {
		return nil, fmt.Errorf("%s: it was replaced while it was read", base)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxWorkspaceFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxWorkspaceFile {
		return nil, fmt.Errorf("%s: larger than %d bytes", base, maxWorkspaceFile)
	}
	return b, nil
}
