package assemble

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// tree is an image's file system while it is being laid. Contents wait in numbered files, so neither the host's umask
// nor its notion of case or links has a say.
type tree struct {
	dir     string
	entries map[string]entry
}

type entry struct {
	kind byte // tar.TypeReg, TypeDir or TypeSymlink
	exec bool
	link string // target of a symlink
	file string // content on the host
	size int64
}

// mode is one of few: what a scanner may read, everybody may read; nothing is set-uid.
func (e entry) mode(name string) int64 {
	switch {
	case name == "tmp":
		return 0o1777
	case e.kind == tar.TypeSymlink:
		return 0o777
	case e.kind == tar.TypeDir, e.exec:
		return 0o755
	}
	return 0o644
}

// mountPoints are there in every image: the root is read-only when the scanner runs.
var mountPoints = []string{"dev", "proc", "scangate", "sys", "tmp", "workspace"}

func newTree(dir string) (*tree, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, fmt.Errorf("lay out image: %w", err)
	}
	t := &tree{dir: dir, entries: map[string]entry{}}
	for _, p := range mountPoints {
		t.entries[p] = entry{kind: tar.TypeDir}
	}
	return t, nil
}

// folder lays a folder and those above it. A folder may be laid twice.
func (t *tree) folder(name string) error {
	if name == "." {
		return nil
	}
	if err := checkPaths(name); err != nil {
		return err
	}
	if e, ok := t.entries[name]; ok {
		if e.kind != tar.TypeDir {
			return fmt.Errorf("place %s: it is there and no folder", name)
		}
		return nil
	}
	if err := t.folder(path.Dir(name)); err != nil {
		return err
	}
	t.entries[name] = entry{kind: tar.TypeDir}
	return nil
}

// free makes sure that name can be placed.
func (t *tree) free(name string) error {
	if err := checkPaths(name); err != nil {
		return err
	}
	if _, ok := t.entries[name]; ok {
		return fmt.Errorf("place %s: it is there already", name)
	}
	return t.folder(path.Dir(name))
}

func (t *tree) file(name string, exec bool, content io.Reader) error {
	if err := t.free(name); err != nil {
		return err
	}
	file := filepath.Join(t.dir, strconv.Itoa(len(t.entries)))
	size, err := writeFile(file, content)
	if err != nil {
		return fmt.Errorf("place %s: %w", name, err)
	}
	t.entries[name] = entry{kind: tar.TypeReg, exec: exec, file: file, size: size}
	return nil
}

func (t *tree) symlink(name, target string) error {
	if err := t.free(name); err != nil {
		return err
	}
	t.entries[name] = entry{kind: tar.TypeSymlink, link: target}
	return nil
}

func (t *tree) names() []string {
	names := make([]string, 0, len(t.entries))
	for name := range t.entries {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// writeLayer writes the tree as one tar, in order of names, and returns the digest and size of it. The writer takes
// USTAR where the name fits; with whole seconds there are no PAX time records.
func (t *tree) writeLayer(file string) (digest string, size int64, err error) {
	out, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", 0, fmt.Errorf("write layer: %w", err)
	}
	defer out.Close()
	sum := sha256.New()
	tw := tar.NewWriter(io.MultiWriter(out, sum))
	for _, name := range t.names() {
		if err := t.entries[name].writeTo(tw, name); err != nil {
			return "", 0, fmt.Errorf("write layer: %s: %w", name, err)
		}
	}
	if err := tw.Close(); err != nil {
		return "", 0, fmt.Errorf("write layer: %w", err)
	}
	size, err = out.Seek(0, io.SeekCurrent)
	if err != nil {
		return "", 0, fmt.Errorf("write layer: %w", err)
	}
	if err := out.Close(); err != nil {
		return "", 0, fmt.Errorf("write layer: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), size, nil
}

func (e entry) writeTo(tw *tar.Writer, name string) error {
	h := &tar.Header{Typeflag: e.kind, Name: name, Linkname: e.link, Size: e.size, Mode: e.mode(name), ModTime: epoch}
	if e.kind == tar.TypeDir {
		h.Name += "/"
	}
	if err := tw.WriteHeader(h); err != nil {
		return err
	}
	if e.kind != tar.TypeReg {
		return nil
	}
	content, err := os.Open(e.file)
	if err != nil {
		return err
	}
	defer content.Close()
	_, err = io.Copy(tw, content)
	return err
}

var epoch = time.Unix(0, 0).UTC()

func writeFile(file string, content io.Reader) (int64, error) {
	out, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(out, content)
	if err != nil {
		out.Close()
		return 0, err
	}
	return n, out.Close()
}
