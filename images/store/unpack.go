package store

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"
)

// The extractor is our own: of the libraries measured, one loses files behind absolute links and hides its errors, one
// deletes the folder above the root for an entry ".wh...", others keep setuid bits and devices. It accepts only what a
// scanner's image needs and refuses the rest by name. It never follows a link: what is where is known from the tree it
// keeps in memory, and os.Root stands behind that.

// limits bound what an image may unpack to.
type limits struct {
	bytes   int64 // of all layers, decompressed
	entries int   // of all layers
	ratio   int64 // decompressed to compressed, beyond the first freeBytes
}

var imageLimits = limits{bytes: 8 << 30, entries: 1_000_000, ratio: 200}

const (
	freeBytes = 64 << 20
	maxPath   = 4000 // bytes; PATH_MAX is 4096 and the root's own path comes before
	maxName   = 255  // NAME_MAX

	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

type kind int

const (
	folder kind = iota
	file
	link
)

// node is one path of the image. Layer is the last layer that made or used it.
type node struct {
	kind     kind
	layer    int
	mtime    time.Time
	children map[string]*node
}

type extractor struct {
	root    *os.Root
	top     *node
	layer   int
	entries int
	limits  limits
	buf     []byte
}

func newExtractor(root *os.Root, l limits) *extractor {
	return &extractor{root: root, limits: l, top: &node{mtime: time.Unix(0, 0)}, buf: make([]byte, 128<<10)}
}

// apply unpacks the next layer and reads r to its end, after which there may be nothing but zeros.
func (x *extractor) apply(r io.Reader) error {
	x.layer++
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read tar: %w", err)
		}
		if err := x.count(); err != nil {
			return err
		}
		if err := x.entry(h, t); err != nil {
			return fmt.Errorf("entry %q: %w", h.Name, err)
		}
	}
	for {
		n, err := r.Read(x.buf)
		for _, b := range x.buf[:n] {
			if b != 0 {
				return errors.New("bytes after the end of the archive")
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read tar: %w", err)
		}
	}
}

// count is called for every entry and for every folder made on the way to one.
func (x *extractor) count() error {
	if x.entries++; x.entries > x.limits.entries {
		return fmt.Errorf("more than %d entries", x.limits.entries)
	}
	return nil
}

func (x *extractor) entry(h *tar.Header, content io.Reader) error {
	if err := plainHeader(h); err != nil {
		return err
	}
	name, err := cleanName(h.Name)
	if err != nil {
		return err
	}
	if name == "." {
		if h.Typeflag != tar.TypeDir {
			return errors.New("the root is not a directory")
		}
		x.top.mtime = h.ModTime
		return nil
	}
	dir, base := path.Split(name)
	dir = strings.TrimSuffix(dir, "/")
	if strings.Contains("/"+dir, "/"+whiteout) {
		return errors.New("below a whiteout")
	}
	if strings.HasPrefix(base, whiteout) {
		return x.whiteout(h, dir, base)
	}
	parent, err := x.parent(dir)
	if err != nil {
		return err
	}
	old := parent.children[base]
	if old != nil && h.Typeflag == tar.TypeDir && old.kind == folder {
		old.layer, old.mtime = x.layer, h.ModTime
		return nil
	}
	if old != nil && old.layer == x.layer {
		return errors.New("twice in one layer")
	}
	var target string
	if h.Typeflag == tar.TypeLink {
		// Before the old entry goes: a link to itself must not delete its target.
		if target, err = x.linkTarget(h.Linkname, name); err != nil {
			return err
		}
	}
	if old != nil {
		if err := x.root.RemoveAll(name); err != nil {
			return err
		}
		delete(parent.children, base)
	}
	made := &node{layer: x.layer, mtime: h.ModTime}
	switch h.Typeflag {
	case tar.TypeDir:
		err = x.root.Mkdir(name, 0o700)
	case tar.TypeReg:
		made.kind = file
		err = x.file(name, h, content)
	case tar.TypeSymlink:
		made.kind = link
		err = x.symlink(name, h.Linkname)
	case tar.TypeLink:
		made.kind = file
		err = x.root.Link(target, name)
	}
	if err != nil {
		return err
	}
	parent.add(base, made)
	return nil
}

// parent returns the folder, made where it is absent.
func (x *extractor) parent(dir string) (*node, error) {
	at := x.top
	if dir == "" {
		return at, nil
	}
	end := 0
	for name := range strings.SplitSeq(dir, "/") {
		end += len(name)
		here := dir[:end]
		end++ // the slash
		next := at.children[name]
		if next == nil {
			if err := x.count(); err != nil {
				return nil, err
			}
			if err := x.root.Mkdir(here, 0o700); err != nil {
				return nil, err
			}
			next = &node{mtime: time.Unix(0, 0)}
			at.add(name, next)
		}
		if next.kind != folder {
			return nil, fmt.Errorf("its parent %q is not a directory", here)
		}
		next.layer = x.layer
		at = next
	}
	return at, nil
}

func (x *extractor) find(name string) *node {
	at := x.top
	for part := range strings.SplitSeq(name, "/") {
		if at = at.children[part]; at == nil {
			return nil
		}
	}
	return at
}

func (n *node) add(name string, child *node) {
	if n.children == nil {
		n.children = map[string]*node{}
	}
	n.children[strings.Clone(name)] = child // name is a part of a long path
}

// file writes a regular file: 0755 or 0644 by the executable bits, so setuid, setgid, sticky and owner are gone.
func (x *extractor) file(name string, h *tar.Header, content io.Reader) error {
	f, err := x.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if h.Mode&0o111 != 0 {
		mode = 0o755
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{f}, struct{ io.Reader }{content}, x.buf)
	if err := errors.Join(err, f.Chmod(mode), f.Close()); err != nil {
		return err
	}
	// Python takes a .pyc for stale unless its source has the recorded mtime.
	return x.root.Chtimes(name, h.ModTime, h.ModTime)
}

// symlink keeps the text as it is: it means something inside the container only.
func (x *extractor) symlink(name, text string) error {
	if text == "" || len(text) > maxPath || strings.ContainsRune(text, 0) {
		return fmt.Errorf("link text of %d bytes", len(text))
	}
	return x.root.Symlink(text, name)
}

func (x *extractor) linkTarget(linkname, name string) (string, error) {
	target, err := cleanName(linkname)
	if err != nil {
		return "", fmt.Errorf("hard link to %q: %w", linkname, err)
	}
	// A link to what the entry itself replaces, or to what is below it, would have no target in a moment.
	n := x.find(target)
	if n == nil || n.kind != file || target == name || strings.HasPrefix(target, name+"/") {
		return "", fmt.Errorf("hard link to %q: not a file of this image", linkname)
	}
	return target, nil
}

// whiteout applies ".wh.NAME" and ".wh..wh..opq" (image-spec v1.1, layer.md). They hide what lower layers have.
func (x *extractor) whiteout(h *tar.Header, dir, base string) error {
	if h.Typeflag != tar.TypeReg || h.Size != 0 {
		return errors.New("a whiteout that is not an empty file")
	}
	hidden := strings.TrimPrefix(base, whiteout)
	if base != opaque && (hidden == "" || hidden == "." || hidden == ".." || strings.HasPrefix(hidden, whiteout)) {
		return errors.New("a whiteout of a reserved name")
	}
	at := x.top
	for part := range strings.SplitSeq(dir, "/") {
		if part == "" {
			break
		}
		next := at.children[part]
		if next == nil {
			return nil // nothing there to hide
		}
		if next.kind != folder {
			return fmt.Errorf("its parent %q is not a directory", dir)
		}
		at = next
	}
	if base == opaque {
		return x.hideLower(dir, at)
	}
	old := at.children[hidden]
	if old == nil {
		return nil
	}
	if old.layer == x.layer {
		return fmt.Errorf("hides %q, which is in the same layer", hidden)
	}
	delete(at.children, hidden)
	return x.root.RemoveAll(path.Join(dir, hidden))
}

// hideLower removes what is below dir, but for what this layer has put there.
func (x *extractor) hideLower(dir string, at *node) error {
	for name, child := range at.children {
		if child.layer == x.layer {
			if err := x.hideLower(path.Join(dir, name), child); err != nil {
				return err
			}
			continue
		}
		delete(at.children, name)
		if err := x.root.RemoveAll(path.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// mountpoints are where every engine mounts something: in the image each must be a real directory, not a link that
// leads the mount elsewhere (CVE-2023-28642, CVE-2026-41579).
var mountpoints = []string{".scangate", "dev", "proc", "scangate", "sys", "tmp", "workspace"}

// finish makes absent mountpoints and gives every directory its mode and time.
func (x *extractor) finish() error {
	for _, name := range mountpoints {
		n := x.top.children[name]
		if n == nil {
			if err := x.root.Mkdir(name, 0o700); err != nil {
				return err
			}
			n = &node{mtime: time.Unix(0, 0)}
			x.top.add(name, n)
		}
		if n.kind != folder {
			return fmt.Errorf("/%s is not a real directory", name)
		}
	}
	if err := x.seal(".", x.top); err != nil {
		return err
	}
	return x.root.Chmod("tmp", fs.ModeSticky|0o777)
}

func (x *extractor) seal(dir string, n *node) error {
	for name, child := range n.children {
		if child.kind == folder {
			if err := x.seal(path.Join(dir, name), child); err != nil {
				return err
			}
		}
	}
	if err := x.root.Chmod(dir, 0o755); err != nil {
		return err
	}
	return x.root.Chtimes(dir, n.mtime, n.mtime)
}
