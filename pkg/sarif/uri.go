package sarif

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"
)

// path turns an artifact location (§3.4) into a path below o.Root.
func (r run) path(a artifactLocation, o Options) (string, error) {
	if a.URI == "" && a.Index != nil && *a.Index >= 0 {
		if *a.Index >= len(r.Artifacts) {
			return "", fmt.Errorf("artifact %d of %d", *a.Index, len(r.Artifacts))
		}
		a = r.Artifacts[*a.Index].Location
	}
	if a.URI == "" {
		return "", errors.New("no uri")
	}
	p, err := filePath(a.URI, o.Paths)
	if err != nil {
		return "", err
	}
	if !path.IsAbs(p) {
		base, err := r.base(a.URIBaseID, o, 0)
		if err != nil {
			return "", err
		}
		p = path.Join(base, p)
	}
	return below(o.Root, p)
}

// base is the absolute folder that a uriBaseId (§3.4.4) stands for. One that the run does not define, such as
// %SRCROOT%, is the folder the tool worked in.
func (r run) base(id string, o Options, depth int) (string, error) {
	start := path.Join(o.Root, o.Dir)
	b, ok := r.OriginalURIBaseIDs[id]
	if id == "" || !ok || b.URI == "" {
		return start, nil
	}
	if depth > len(r.OriginalURIBaseIDs) {
		return "", fmt.Errorf("uriBaseId %q stands for itself", id)
	}
	p, err := filePath(b.URI, o.Paths)
	if err != nil || path.IsAbs(p) {
		return p, err
	}
	parent, err := r.base(b.URIBaseID, o, depth+1)
	return path.Join(parent, p), err
}

// filePath is the path that a file URI or relative reference names; plain, s is that path already.
func filePath(s string, plain bool) (string, error) {
	if plain && !strings.HasPrefix(s, "file://") {
		return s, nil
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return "", err
	case u.Scheme != "" && u.Scheme != "file", u.Opaque != "", u.Host != "" && u.Host != "localhost", u.User != nil:
		return "", fmt.Errorf("uri %q is not a file's", s)
	case u.RawQuery != "", u.ForceQuery, strings.Contains(s, "#"):
		return "", fmt.Errorf("uri %q holds more than a path", s)
	case u.Path == "" || strings.Contains(u.Path, "\x00"):
		return "", fmt.Errorf("uri %q has no path", s)
	}
	return u.Path, nil
}

// below is the path of the absolute path p below root, or an error where p is not below it.
func below(root, p string) (string, error) {
	rel, ok := strings.CutPrefix(path.Clean(p), strings.TrimSuffix(root, "/")+"/")
	if !ok || rel == "" {
		return "", fmt.Errorf("path %q is not below %s", p, root)
	}
	return rel, nil
}
