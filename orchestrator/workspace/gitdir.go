//go:build unix

package workspace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// maxIndex bounds a git index: Linux has 90,000 files in 9 MB.
const maxIndex = 512 << 20

// readIndex reads the index of the folder's own git, nil where the folder has no .git. Only two files are read: .git,
// where it is a file (a worktree, a submodule), and the index. The configuration is not: it could name programs.
func readIndex(dir string) (*index, error) {
	at := filepath.Join(dir, ".git")
	info, err := os.Stat(at)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(at); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read .git: %w", err)
	}
	if !info.IsDir() {
		if at, err = gitFile(dir, at); err != nil {
			return nil, fmt.Errorf("read .git: %w", err)
		}
	}
	data, err := readFile(filepath.Join(at, "index"), maxIndex)
	if errors.Is(err, fs.ErrNotExist) { // nothing was ever added
		if info, err := os.Stat(at); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("read .git: it names %s, which is no folder here", at)
		}
		return &index{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read git index: %w", err)
	}
	x, err := parseIndex(data)
	if err != nil {
		return nil, fmt.Errorf("read git index: %w", err)
	}
	return x, nil
}

// gitFile returns the folder that a .git file names (gitrepository-layout(5)).
func gitFile(dir, at string) (string, error) {
	text, err := readFile(at, 64<<10)
	if err != nil {
		return "", err
	}
	target, ok := strings.CutPrefix(string(text), "gitdir: ")
	target = strings.TrimRight(target, "\r\n")
	if !ok || target == "" || strings.ContainsRune(target, 0) {
		return "", errors.New(`it does not say "gitdir: "`)
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(dir, target)
	}
	return target, nil
}

// readFile reads a regular file without blocking on anything else.
func readFile(path string, limit int) ([]byte, error) {
	var fd int
	err := retry(func() (err error) {
		fd, err = unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	if uint32(st.Mode)&unix.S_IFMT != unix.S_IFREG {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	}
	text, err := readAll(fd, limit)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	return text, nil
}
