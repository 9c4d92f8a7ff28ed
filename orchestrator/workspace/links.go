package workspace

import (
	"slices"
	"strings"
)

// maxHops is after how many symbolic links the kernel gives up (path_resolution(7)).
const maxHops = 40

// tree answers what a path is, from what is in scope alone. A folder is what something in scope lies in: git knows no
// other, so a folder that only holds ignored files is no folder on any machine.
type tree struct {
	files []File // regular ones, sorted by path
	links map[string]string
	names []string // paths of files, links and what was left out, sorted
}

func (t *tree) file(path string) (File, bool) {
	i, found := slices.BinarySearchFunc(t.files, path, func(f File, p string) int { return strings.Compare(f.Path, p) })
	if !found {
		return File{}, false
	}
	return t.files[i], true
}

func (t *tree) folder(path string) bool {
	if path == "" {
		return true
	}
	i, _ := slices.BinarySearch(t.names, path+"/")
	return i < len(t.names) && strings.HasPrefix(t.names[i], path+"/")
}

// resolve follows the link at path as the kernel would (path_resolution(7)), by names alone: to a file of the snapshot, or
// to a reason why it is left out.
func (t *tree) resolve(path string) (File, Reason) {
	at := dirOf(path)
	rest := []string{baseOf(path)}
	hops := 0
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		if !t.folder(at) {
			return File{}, LinkDangling
		}
		switch name {
		case "", ".":
			continue
		case "..":
			if at == "" {
				return File{}, LinkOutside
			}
			at = dirOf(at)
			continue
		}
		next := join(at, name)
		text, isLink := t.links[next]
		if !isLink {
			at = next
			continue
		}
		if hops++; hops > maxHops || text == "" {
			return File{}, LinkDangling
		}
		if text[0] == '/' {
			return File{}, LinkOutside
		}
		rest = append(strings.Split(text, "/"), rest...)
	}
	if f, ok := t.file(at); ok {
		return f, ""
	}
	if t.folder(at) {
		return File{}, LinkFolder
	}
	return File{}, LinkDangling
}

func dirOf(path string) string {
	return path[:max(strings.LastIndexByte(path, '/'), 0)]
}

func baseOf(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
