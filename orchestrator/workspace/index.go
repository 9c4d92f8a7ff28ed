package workspace

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// index is what git's index names, sorted bytewise, each path once.
type index struct {
	paths    []string
	gitlinks []string // submodules, sorted; not among paths
}

func (x *index) has(path string) bool {
	_, found := slices.BinarySearch(x.paths, path)
	return found
}

func (x *index) gitlink(path string) bool {
	_, found := slices.BinarySearch(x.gitlinks, path)
	return found
}

// graft takes in what the index of the submodule at path names, nil where it is not checked out.
func (x *index) graft(path string, sub *index) {
	if sub == nil {
		return
	}
	take := func(to *[]string, from []string) {
		for _, p := range from {
			*to = append(*to, path+"/"+p)
		}
		slices.Sort(*to)
	}
	take(&x.paths, sub.paths)
	take(&x.gitlinks, sub.gitlinks)
}

// below tells whether the index has anything in the folder at path.
func (x *index) below(path string) bool {
	for _, list := range [][]string{x.paths, x.gitlinks} {
		i, _ := slices.BinarySearch(list, path+"/")
		if i < len(list) && strings.HasPrefix(list[i], path+"/") {
			return true
		}
	}
	return false
}

// maxNames bounds the bytes of all names together: prefix compression lets a small hostile index name gigabytes.
const maxNames = 256 << 20

var (
	errSplitIndex  = errors.New(`a split index is not supported: run "git update-index --no-split-index"`)
	errSparseIndex = errors.New(`a sparse index is not supported: run "git sparse-checkout reapply --no-sparse-index"`)
)

// parseIndex reads git's index, versions 2 to 4, of a SHA-1 or a SHA-256 repository (gitformat-index(5) of git 2.39).
func parseIndex(data []byte) (*index, error) {
	if len(data) < 12 || string(data[:4]) != "DIRC" {
		return nil, errors.New("not a git index")
	}
	version := binary.BigEndian.Uint32(data[4:])
	if version < 2 || version > 4 {
		return nil, fmt.Errorf("version %d is not known", version)
	}
	hash, err := indexHash(data)
	if err != nil {
		return nil, err
	}
	if hash != 0 {
		return parseIndexBody(data[:len(data)-hash], version, hash)
	}
	// index.skipHash leaves the checksum zero, and the object format is told by what parses to the last byte.
	x, err := parseIndexBody(data[:len(data)-sha1.Size], version, sha1.Size)
	if err == nil || errors.Is(err, errSplitIndex) || errors.Is(err, errSparseIndex) || len(data) < 12+sha256.Size {
		return x, err
	}
	if x, wide := parseIndexBody(data[:len(data)-sha256.Size], version, sha256.Size); wide == nil {
		return x, nil
	}
	return nil, err
}

// indexHash returns the length of the checksum that data ends with, 0 for one that is zero.
func indexHash(data []byte) (int, error) {
	if n := len(data) - sha1.Size; n >= 12 {
		if sum := sha1.Sum(data[:n]); bytes.Equal(sum[:], data[n:]) {
			return sha1.Size, nil
		}
		if bytes.Equal(data[n:], make([]byte, sha1.Size)) {
			return 0, nil
		}
	}
	if n := len(data) - sha256.Size; n >= 12 {
		if sum := sha256.Sum256(data[:n]); bytes.Equal(sum[:], data[n:]) {
			return sha256.Size, nil
		}
	}
	return 0, errors.New("its checksum does not match")
}

var errCut = errors.New("it ends too early")

func parseIndexBody(data []byte, version uint32, hash int) (*index, error) {
	const (
		stats    = 40 // times, device, inode, mode, owner, size
		modeAt   = 24
		gitlink  = 0o160000
		folder   = 0o040000
		extended = 0x4000
	)
	x := &index{}
	count := binary.BigEndian.Uint32(data[8:])
	rest := data[12:]
	var name []byte
	var names int
	for range count {
		entry := rest
		if len(rest) < stats+hash+2 {
			return nil, errCut
		}
		mode := binary.BigEndian.Uint32(rest[modeAt:]) & 0o170000
		flags := binary.BigEndian.Uint16(rest[stats+hash:])
		rest = rest[stats+hash+2:]
		if flags&extended != 0 {
			if version < 3 || len(rest) < 2 {
				return nil, errors.New("extended flags are out of place")
			}
			rest = rest[2:]
		}
		if version == 4 {
			cut, n := prefixCut(rest)
			if n == 0 || cut > uint64(len(name)) {
				return nil, errors.New("a compressed name is broken")
			}
			rest = rest[n:]
			name = name[:len(name)-int(cut)]
		} else {
			name = name[:0]
		}
		end := bytes.IndexByte(rest, 0)
		if end < 0 {
			return nil, errCut
		}
		name = append(name, rest[:end]...)
		rest = rest[end:]
		padding := 1
		if version < 4 { // entries are padded with 1 to 8 NULs to a multiple of 8
			used := len(entry) - len(rest)
			padding = 8 - used%8
		}
		if len(rest) < padding {
			return nil, errCut
		}
		rest = rest[padding:]

		if names += len(name); names > maxNames {
			return nil, fmt.Errorf("its names are over %d MiB", maxNames>>20)
		}
		switch mode {
		case folder:
			return nil, errSparseIndex
		case gitlink:
			x.gitlinks = append(x.gitlinks, string(name))
		default:
			x.paths = append(x.paths, string(name))
		}
	}
	if !slices.IsSorted(x.paths) || !slices.IsSorted(x.gitlinks) {
		return nil, errors.New("its entries are out of order")
	}
	// An unmerged path has up to three entries.
	x.paths, x.gitlinks = slices.Compact(x.paths), slices.Compact(x.gitlinks)
	return x, parseExtensions(rest)
}

// prefixCut reads how many bytes to drop from the name before, in the encoding of pack offsets; n is 0 where it is broken.
func prefixCut(data []byte) (cut uint64, n int) {
	for n < len(data) && n < 5 {
		c := data[n]
		n++
		cut |= uint64(c & 0x7f)
		if c&0x80 == 0 {
			return cut, n
		}
		cut = (cut + 1) << 7
	}
	return 0, 0
}

// parseExtensions walks what follows the entries. One whose name begins with a capital may be left unread; the others
// change what the entries mean.
func parseExtensions(data []byte) error {
	for len(data) > 0 {
		if len(data) < 8 {
			return errCut
		}
		name, size := string(data[:4]), uint64(binary.BigEndian.Uint32(data[4:]))
		if size > uint64(len(data)-8) {
			return errCut
		}
		switch {
		case name == "link":
			return errSplitIndex
		case name == "sdir": // only says that folder entries may occur; they are refused where they do
		case name[0] < 'A' || name[0] > 'Z':
			return fmt.Errorf("extension %q is not known", name)
		}
		data = data[8+size:]
	}
	return nil
}
