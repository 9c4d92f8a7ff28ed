package scanners

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// Below is the path in the view of a file that a tool names absolutely, or an error where that is not below Workspace.
func Below(name string) (string, error) {
	rel, ok := strings.CutPrefix(path.Clean(name), Workspace+"/")
	if !ok || rel == "" {
		return "", fmt.Errorf("path %q is not below %s", name, Workspace)
	}
	return rel, nil
}

// Folder is a folder of an adapter's embedded files, for Config. It panics where the name is no path.
func Folder(f fs.FS, name string) fs.FS {
	sub, err := fs.Sub(f, name)
	if err != nil {
		panic(fmt.Sprintf("scanners: folder %q: %v", name, err))
	}
	return sub
}
