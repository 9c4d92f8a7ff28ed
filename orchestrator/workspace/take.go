//go:build unix

package workspace

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"sync"

	"github.com/sourcegraph/conc/pool"
	"golang.org/x/sys/unix"
)

// DefaultMaxFileBytes is what a file may have where Options say nothing.
const DefaultMaxFileBytes = 1 << 30

// Options say how a snapshot is taken.
type Options struct {
	Store        string // parent of the run's folder, outside the workspace; made where it is absent
	Jobs         int    // files read at once; 0 is the number of cores
	MaxFiles     int    // regular files in scope, over which Take fails; 0 is no bound
	MaxFileBytes int64  // of one file, over which it is left out; 0 is DefaultMaxFileBytes
}

// TooManyError says that more files are in scope than Options.MaxFiles.
type TooManyError struct{ Limit int }

func (e *TooManyError) Error() string { return fmt.Sprintf("over %d files are in scope", e.Limit) }

// Snapshot is the exact files in scope of a folder, and their contents. Its methods may be called from many goroutines.
type Snapshot struct {
	Files   []File    // sorted bytewise by Path
	LeftOut []LeftOut // sorted by Path
	// Digest is of Files and of LeftOut: all of both, as a report names what was left out.
	Digest string

	run   *run
	blobs *blobs

	mu   sync.Mutex
	last struct { // the file whose lines were asked for last
		path string
		text []byte
		line int    // from 1
		rest []byte // of text, from that line on
	}
}

// Take reads the folder dir once and stores what is in scope below o.Store. The caller closes the snapshot.
func Take(ctx context.Context, dir string, o Options) (*Snapshot, error) {
	s, err := take(ctx, dir, o)
	if err != nil {
		return nil, fmt.Errorf("take snapshot: %w", err)
	}
	return s, nil
}

func take(ctx context.Context, dir string, o Options) (*Snapshot, error) {
	if err := Outside(o.Store, dir); err != nil {
		return nil, err
	}
	index, err := readIndex(dir)
	if err != nil {
		return nil, err
	}
	run, err := newRun(o.Store)
	if err != nil {
		return nil, fmt.Errorf("make run folder: %w", err)
	}
	s := &Snapshot{run: run, blobs: &blobs{dir: run.blobs(), has: map[string]struct{}{}}}
	if err := s.fill(ctx, dir, index, o); err != nil {
		return nil, errors.Join(err, run.remove())
	}
	return s, nil
}

func (s *Snapshot) fill(ctx context.Context, dir string, index *index, o Options) error {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", dir, err)
	}
	root := newFolder(fd, dir)
	defer root.release()

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	readers := pool.New().WithMaxGoroutines(cmp.Or(max(o.Jobs, 0), runtime.NumCPU()))
	w := &walk{
		ctx: ctx, root: dir, cancel: cancel, start: readers.Go, index: index, blobs: s.blobs,
		limit: cmp.Or(o.MaxFileBytes, DefaultMaxFileBytes), maxFiles: o.MaxFiles, links: map[string]string{},
	}
	err = w.dir(root, "", 0, nil, false)
	readers.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err != nil {
		return err
	}
	s.settle(w)
	return nil
}

// settle puts what the walk found in order and follows the links.
func (s *Snapshot) settle(w *walk) {
	byPath := func(a, b File) int { return cmp.Compare(a.Path, b.Path) }
	slices.SortFunc(w.files, byPath)
	t := &tree{files: w.files, links: w.links}
	for _, f := range w.files {
		t.names = append(t.names, f.Path)
	}
	for _, l := range w.left {
		t.names = append(t.names, l.Path)
	}
	for path := range w.links {
		t.names = append(t.names, path)
	}
	slices.Sort(t.names)
	s.Files = slices.Clip(w.files)
	for path := range w.links {
		end, reason := t.resolve(path)
		if reason != "" {
			w.left = append(w.left, LeftOut{path, reason})
			continue
		}
		link := end
		link.Path, link.Link = path, end.Path
		s.Files = append(s.Files, link)
	}
	slices.SortFunc(s.Files, byPath)
	slices.SortFunc(w.left, func(a, b LeftOut) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Reason, b.Reason))
	})
	s.LeftOut = slices.Compact(w.left)
	s.Digest = s.digest()
}

// digest is the SHA-256 of "scangate.snapshot/v1" and a newline, then for each file "file", path, content digest, "x" or "-",
// link, and for each left out "left", path, reason; every field preceded by its length in decimal and a colon.
func (s *Snapshot) digest() string {
	h := sha256.New()
	io.WriteString(h, "scangate.snapshot/v1\n")
	var b []byte
	write := func(fields ...string) {
		b = b[:0]
		for _, f := range fields {
			b = append(strconv.AppendInt(b, int64(len(f)), 10), ':')
			b = append(b, f...)
		}
		h.Write(b)
	}
	for _, f := range s.Files {
		mode := "-"
		if f.Executable {
			mode = "x"
		}
		write("file", f.Path, f.Digest, mode, f.Link)
	}
	for _, l := range s.LeftOut {
		write("left", l.Path, string(l.Reason))
	}
	return digestOf(h.Sum(nil))
}

// Dir is the run's own folder: blobs are in it, and views belong into it. Close removes it.
func (s *Snapshot) Dir() string { return s.run.dir }

// Close removes the run's folder, with all views.
func (s *Snapshot) Close() error {
	if err := s.run.remove(); err != nil {
		return fmt.Errorf("remove run folder: %w", err)
	}
	return nil
}

// File returns the file at path.
func (s *Snapshot) File(path string) (File, bool) {
	i, found := slices.BinarySearchFunc(s.Files, path, func(f File, p string) int { return cmp.Compare(f.Path, p) })
	if !found {
		return File{}, false
	}
	return s.Files[i], true
}

// Open opens a content by its digest. The caller closes it.
func (s *Snapshot) Open(digest string) (io.ReadCloser, error) { return s.blobs.open(digest) }

// Read returns the content of the file at path, of a link its end's.
func (s *Snapshot) Read(path string) ([]byte, error) {
	f, ok := s.File(path)
	if !ok {
		return nil, fmt.Errorf("read %q: not in the snapshot", path)
	}
	r, err := s.blobs.open(f.Digest)
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", path, err)
	}
	defer r.Close()
	text := make([]byte, f.Size) // a file may be large, and io.ReadAll needs twice as much
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, fmt.Errorf("read %q: %w", path, err)
	}
	return text, nil
}

// Line returns the n-th line, from 1, of the file at path, without its line end; false where there is none. The lines of
// one file are asked for together and in order: it holds the last file only, and where it is in it. A list of all lines
// would be many times a file of empty ones.
func (s *Snapshot) Line(path string, n int) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &s.last
	if l.text == nil || l.path != path {
		text, err := s.Read(path)
		if err != nil {
			return nil, false
		}
		l.path, l.text, l.line, l.rest = path, text, 1, text
	}
	if n < l.line {
		l.line, l.rest = 1, l.text
	}
	for ; l.line < n; l.line++ {
		_, rest, more := bytes.Cut(l.rest, []byte("\n"))
		if !more {
			l.line, l.rest = 1, l.text
			return nil, false
		}
		l.rest = rest
	}
	if n < 1 {
		return nil, false
	}
	line, _, _ := bytes.Cut(l.rest, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), true
}
