//go:build unix

package workspace

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// maxDepth bounds how deep folders may be nested: the walk holds one descriptor for each level.
const maxDepth = 512

// maxIgnore bounds a .gitignore.
const maxIgnore = 1 << 20

// folder is an open directory. Files are opened below it by name while the walk goes on, so it is counted.
type folder struct {
	file *os.File
	fd   int
	refs atomic.Int32
}

func newFolder(fd int, path string) *folder {
	f := &folder{file: os.NewFile(uintptr(fd), path), fd: fd}
	f.refs.Store(1)
	return f
}

func (f *folder) release() {
	if f.refs.Add(-1) == 0 {
		f.file.Close()
	}
}

// walk goes through a tree by descriptors: no name is ever resolved through a symbolic link, and nothing that could block
// is opened for longer than it takes to see what it is.
type walk struct {
	ctx      context.Context
	root     string // the folder, by name
	index    *index // nil: there is no git, everything is in scope
	blobs    *blobs
	limit    int64             // bytes of a file
	maxFiles int               // 0: no bound
	start    func(task func()) // waits while Options.Jobs of them are running
	cancel   context.CancelCauseFunc

	mu    sync.Mutex
	count int
	files []File
	left  []LeftOut
	links map[string]string // path -> text of the link
}

func (w *walk) leave(path string, r Reason) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left = append(w.left, LeftOut{path, r})
}

// blame leaves path out for a fault of reading it. A file that is gone is as if it had been deleted before the walk; a
// fault that says nothing about this path is returned.
func (w *walk) blame(path string, err error) error {
	switch {
	case errors.Is(err, unix.ENOENT):
	case errors.Is(err, unix.ENAMETOOLONG):
		w.leave(path, TooLong)
	case errors.Is(err, errTooLarge):
		w.leave(path, TooLarge)
	case errors.As(err, new(*storeError)), errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE), errors.Is(err, unix.ENOMEM):
		return err
	case errors.Is(err, unix.ENXIO): // a socket or device that took the place of a file
		w.leave(path, Special)
	default:
		w.leave(path, Unreadable)
	}
	return nil
}

// dir walks the folder at path, which is "" for the root. ignored says that only what the index names is in scope.
func (w *walk) dir(f *folder, path string, depth int, rules *ignoreFile, ignored bool) error {
	if w.ctx.Err() != nil {
		return context.Cause(w.ctx)
	}
	names, err := f.file.Readdirnames(-1)
	if err != nil {
		if err := w.blame(path, err); err != nil {
			return err
		}
	}
	slices.Sort(names)
	if _, found := slices.BinarySearch(names, ".gitignore"); found && w.index != nil && !ignored {
		text, err := w.readIgnore(f, join(path, ".gitignore"))
		if err != nil {
			return err
		}
		rules = parseIgnore(text, path, rules)
	}
	for _, name := range names {
		if name == ".git" {
			continue
		}
		if err := w.entry(f, path, name, depth, rules, ignored); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) entry(f *folder, dir, name string, depth int, rules *ignoreFile, ignored bool) error {
	path := join(dir, name)
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstatat(f.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	kind := uint32(st.Mode) & unix.S_IFMT
	if err != nil {
		kind = 0
	}
	if w.index != nil {
		isDir := kind == unix.S_IFDIR
		ignored = (ignored || rules.ignores(path, name, isDir)) && !w.index.has(path)
		if isDir && w.index.gitlink(path) {
			ignored = false
		}
		if ignored && !(isDir && w.index.below(path)) {
			return nil
		}
	}
	if err != nil {
		return w.blame(path, err)
	}
	switch kind {
	case unix.S_IFDIR:
		return w.enter(f, path, name, depth, rules, ignored)
	case unix.S_IFREG:
		if w.count++; w.maxFiles > 0 && w.count > w.maxFiles {
			return &TooManyError{Limit: w.maxFiles}
		}
		f.refs.Add(1)
		w.start(func() {
			defer f.release()
			if w.ctx.Err() != nil {
				return
			}
			if err := w.blameNil(path, w.file(f, path, name)); err != nil {
				w.cancel(err)
			}
		})
		return nil
	case unix.S_IFLNK:
		text, err := readlink(f.fd, name)
		if err != nil {
			return w.blame(path, err)
		}
		w.links[path] = text
		return nil
	}
	w.leave(path, Special)
	return nil
}

func (w *walk) blameNil(path string, err error) error {
	if err == nil {
		return nil
	}
	return w.blame(path, err)
}

func (w *walk) enter(f *folder, path, name string, depth int, rules *ignoreFile, ignored bool) error {
	if depth == maxDepth {
		w.leave(path, TooLong)
		return nil
	}
	fd, err := openat(f.fd, name, unix.O_DIRECTORY)
	if err != nil {
		return w.blame(path, err)
	}
	sub := newFolder(fd, path)
	defer sub.release()
	if w.index != nil && w.index.gitlink(path) {
		tracked, err := readIndex(filepath.Join(w.root, path))
		if err != nil {
			return fmt.Errorf("submodule %s: %w", path, err)
		}
		w.index.graft(path, tracked)
	}
	return w.dir(sub, path, depth+1, rules, ignored)
}

// file takes in one regular file. What the name stands for now is seen on the open descriptor.
func (w *walk) file(f *folder, path, name string) error {
	fd, st, err := openRegular(f.fd, name)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if st.Size > w.limit {
		return errTooLarge
	}
	executable := st.Mode&0o100 != 0
	c, err := w.blobs.take(fd, executable, w.limit)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files = append(w.files, File{Path: path, Digest: c.digest, Size: c.size, Executable: executable, interpreter: c.interpreter})
	return nil
}

// readIgnore reads a .gitignore. One that is a symbolic link has no effect, as in git since 2.32; one that cannot be read
// ignores nothing and is reported.
func (w *walk) readIgnore(f *folder, path string) ([]byte, error) {
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstatat(f.fd, ".gitignore", &st, unix.AT_SYMLINK_NOFOLLOW) })
	if err != nil {
		return nil, w.blame(path, err)
	}
	if uint32(st.Mode)&unix.S_IFMT != unix.S_IFREG {
		return nil, nil
	}
	fd, _, err := openRegular(f.fd, ".gitignore")
	if err != nil {
		return nil, w.blame(path, err)
	}
	defer unix.Close(fd)
	text, err := readAll(fd, maxIgnore)
	return text, w.blameNil(path, err)
}

// openRegular opens a regular file below fd for reading; anything else is ENXIO.
func openRegular(fd int, name string) (int, *unix.Stat_t, error) {
	fd, err := openat(fd, name, unix.O_NONBLOCK|unix.O_NOCTTY)
	if err != nil {
		return -1, nil, err
	}
	st := new(unix.Stat_t)
	err = retry(func() error { return unix.Fstat(fd, st) })
	if err == nil && uint32(st.Mode)&unix.S_IFMT != unix.S_IFREG {
		err = unix.ENXIO
	}
	if err != nil {
		unix.Close(fd)
		return -1, nil, err
	}
	return fd, st, nil
}

func openat(at int, name string, flags int) (fd int, err error) {
	err = retry(func() error {
		fd, err = unix.Openat(at, name, flags|unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		return err
	})
	return fd, err
}

func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

// readAll reads fd to its end; over limit bytes is errTooLarge.
func readAll(fd int, limit int) ([]byte, error) {
	var text []byte
	buffer := make([]byte, 32<<10)
	for {
		n, err := readRetry(fd, buffer)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return text, nil
		}
		if text = append(text, buffer[:n]...); len(text) > limit {
			return nil, errTooLarge
		}
	}
}

func readlink(at int, name string) (string, error) {
	for size := 256; ; size *= 4 {
		buffer := make([]byte, size)
		n, err := unix.Readlinkat(at, name, buffer)
		if err != nil {
			return "", err
		}
		if n < size {
			return string(buffer[:n]), nil
		}
	}
}

func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}
