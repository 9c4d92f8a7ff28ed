package workspace

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/scangate/scangate/pkg/finding"
)

// globs are doublestar patterns in lower case.
type globs []string

func compileGlobs(patterns []string) globs {
	var g globs
	for _, p := range patterns {
		p = strings.ToLower(p)
		if !doublestar.ValidatePattern(p) {
			panic(fmt.Sprintf("workspace: glob %q is broken", p))
		}
		g = append(g, p)
	}
	return g
}

// match expects name in lower case.
func (g globs) match(name string) bool {
	return slices.ContainsFunc(g, func(p string) bool { return doublestar.MatchUnvalidated(p, name) })
}

// Paths returns the paths of the regular files that match a glob, sorted.
func (s *Snapshot) Paths(glob string) []string {
	g := compileGlobs([]string{glob})
	var out []string
	for _, f := range s.Files {
		if f.Link == "" && g.match(strings.ToLower(f.Path)) {
			out = append(out, f.Path)
		}
	}
	return out
}

// Select returns the view that q describes. A link is in it as a plain file under its own name, where that name is asked
// for and the content is not already in it as a target, so that nothing is reported twice. It panics at a broken glob and
// where q.Add and a file of the snapshot want one path: both are faults of the program, and the view would hide them.
func (s *Snapshot) Select(q Query) View {
	targets, exclude, context := compileGlobs(q.Globs), compileGlobs(q.Exclude), compileGlobs(q.Context)
	role := func(f File) Role {
		name := strings.ToLower(f.Path)
		switch {
		case (targets.match(name) || runBy(f, q.Shebangs)) && !exclude.match(name):
			return Target
		case context.match(name):
			return Context
		}
		return ""
	}
	targeted := map[string]bool{} // paths of regular files
	chosen := make([]Role, len(s.Files))
	for i, f := range s.Files {
		if f.Link != "" {
			continue
		}
		if chosen[i] = role(f); chosen[i] == Target {
			targeted[f.Path] = true
		}
	}
	for i, f := range s.Files {
		if f.Link == "" || targeted[f.Link] {
			continue
		}
		if chosen[i] = role(f); chosen[i] == Target {
			targeted[f.Link] = true
		}
	}

	names := newAliases(q.Controls, q.Reserved)
	v := View{added: map[string]string{}}
	for i, f := range s.Files {
		if chosen[i] != "" {
			v.Entries = append(v.Entries, Entry{Path: names.path(f.Path), Source: f.Path, Digest: f.Digest, Executable: f.Executable, Role: chosen[i]})
		}
	}
	for _, at := range slices.Sorted(maps.Keys(q.Add)) {
		sum := sha256.Sum256([]byte(q.Add[at]))
		e := Entry{Path: at, Digest: digestOf(sum[:]), Role: Added}
		v.added[e.Digest] = q.Add[at]
		v.Entries = append(v.Entries, e)
	}
	slices.SortFunc(v.Entries, func(a, b Entry) int { return cmp.Compare(a.Path, b.Path) })
	for i, e := range v.Entries {
		if i > 0 && e.Path == v.Entries[i-1].Path {
			panic(fmt.Sprintf("workspace: two files at %q of a view", e.Path))
		}
	}
	v.Digest = v.digest()
	return v
}

// runBy tells whether f has no extension and begins by naming one of the interpreters.
func runBy(f File, interpreters []string) bool {
	if f.interpreter == "" || extension(baseOf(f.Path)) != "" {
		return false
	}
	return slices.Contains(interpreters, f.interpreter)
}

// extension returns the extension of a base name with its dot; that of a dot file is what follows a second dot.
func extension(base string) string { return path.Ext(strings.TrimLeft(base, ".")) }

// Source returns the entry at a path of the view.
func (v View) Source(path string) (Entry, bool) {
	i, found := slices.BinarySearchFunc(v.Entries, path, func(e Entry, p string) int { return cmp.Compare(e.Path, p) })
	if !found {
		return Entry{}, false
	}
	return v.Entries[i], true
}

// MarshalJSON writes the members in RFC 8785's order, raw bytes by finding.EncodePath.
func (e Entry) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Digest     string `json:"digest"`
		Executable bool   `json:"executable"`
		Path       string `json:"path"`
		Role       Role   `json:"role"`
		Source     string `json:"source"`
	}{e.Digest, e.Executable, e.Path, e.Role, finding.EncodePath(e.Source)})
}

func (v View) digest() string {
	h := sha256.New()
	out := json.NewEncoder(h)
	for _, e := range v.Entries {
		if err := out.Encode(e); err != nil {
			panic(err) // strings and a bool
		}
	}
	return digestOf(h.Sum(nil))
}
