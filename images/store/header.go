package store

import (
	"archive/tar"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"
)

// ignored are PAX records (pax(1), star, libarchive) without effect here: the owner is flattened, times other than mtime
// are not kept, and extended attributes (file capabilities among them) are dropped. path, linkpath, size and mtime are
// in the header's own fields.
var ignored = map[string]bool{
	"path": true, "linkpath": true, "size": true, "mtime": true,
	"atime": true, "ctime": true, "uid": true, "gid": true, "uname": true, "gname": true,
	"LIBARCHIVE.creationtime": true,
}

// plainHeader refuses what is not a directory, a file or a link in its plainest form.
func plainHeader(h *tar.Header) error {
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeDir, tar.TypeSymlink, tar.TypeLink:
	case tar.TypeChar, tar.TypeBlock:
		return errors.New("a device")
	case tar.TypeFifo:
		return errors.New("a FIFO")
	case tar.TypeGNUSparse:
		return errors.New("a sparse file")
	case tar.TypeXGlobalHeader:
		return errors.New("a global PAX header")
	default:
		return fmt.Errorf("entry type %q", h.Typeflag)
	}
	if h.Typeflag != tar.TypeReg && h.Size != 0 {
		return fmt.Errorf("%d bytes of content in what is not a file", h.Size)
	}
	for key := range h.PAXRecords {
		if !ignored[key] && !strings.HasPrefix(key, "SCHILY.xattr.") && !strings.HasPrefix(key, "LIBARCHIVE.xattr.") {
			return fmt.Errorf("PAX record %q", key)
		}
	}
	// Beyond these, file systems disagree.
	if h.ModTime.Before(time.Unix(0, 0)) || !h.ModTime.Before(time.Unix(1<<33, 0)) {
		return fmt.Errorf("mtime %d", h.ModTime.Unix())
	}
	return nil
}

// cleanName is the path below the root, "." for the root itself.
func cleanName(name string) (string, error) {
	if name == "" {
		return "", errors.New("an empty name")
	}
	if strings.ContainsRune(name, 0) {
		return "", errors.New("a NUL in the name")
	}
	if strings.HasPrefix(name, "/") {
		return "", errors.New("an absolute name")
	}
	if len(name) > maxPath {
		return "", fmt.Errorf("a name of %d bytes: at most %d", len(name), maxPath)
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", errors.New(`".." in the name`)
		}
		if len(part) > maxName {
			return "", fmt.Errorf("a name of %d bytes: at most %d", len(part), maxName)
		}
	}
	return path.Clean(name), nil
}
