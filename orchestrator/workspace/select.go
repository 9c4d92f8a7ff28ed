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

// globs are doublestar patterns.
type globs []string

// compileGlobs makes globs that match names in lower case.
func compileGlobs(patterns []string) globs {
	var low []string
	for _, p := range patterns {
		low = append(low, strings.ToLower(p))
	}
	return exactGlobs(low)
}

// exactGlobs makes globs that match names as they are.
func exactGlobs(patterns []string) globs {
	var g globs
	for _, p := range patterns {
		if !doublestar.ValidatePattern(p) {
			panic(fmt.Sprintf("workspace: glob %q is broken", p))
		}
		g = append(g, p)
	}
	return g
}

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
// for. Without q.EveryLink it is left out where the content is already in it as a target with the same extension, by which
// tools choose a language, so that nothing is reported twice. It panics at a broken glob and where q.Add and a file of the
// snapshot want one path: both are faults of the program, and the view would hide them.
func (s *Snapshot) Select(q Query) View {
	targets, exclude, context := compileGlobs(q.Globs), exactGlobs(q.Exclude), compileGlobs(q.Context)
	skipped := s.skipper(q)
	role := func(f File) Role {
		name := strings.ToLower(f.Path)
		switch {
		case (targets.match(name) || runBy(f, q.Shebangs) || f.Executable && runBy(f, q.Programs)) && !exclude.match(f.Path) && !skipped(f.Path):
			return Target
		case context.match(name):
			return Context
		}
		return ""
	}
	type content struct{ path, extension string }
	as := func(file, name string) content { return content{file, strings.ToLower(extension(baseOf(name)))} }
	targeted := map[content]bool{}
	chosen := make([]Role, len(s.Files))
	for i, f := range s.Files {
		if f.Link != "" {
			continue
		}
		if chosen[i] = role(f); chosen[i] == Target {
			targeted[as(f.Path, f.Path)] = true
		}
	}
	for i, f := range s.Files {
		if f.Link == "" || targeted[as(f.Link, f.Path)] && !q.EveryLink {
			continue
		}
		if chosen[i] = role(f); chosen[i] == Target {
			targeted[as(f.Link, f.Path)] = true
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

// skipper returns what tells whether a path lies, below its project, in one of the folders that q skips.
func (s *Snapshot) skipper(q Query) func(string) bool {
	if len(q.SkipDirs) == 0 {
		return func(string) bool { return false }
	}
	dirs, projects := exactGlobs(q.SkipDirs), map[string]bool{}
	for _, f := range s.Files {
		if baseOf(f.Path) == q.Root {
			projects[dirOf(f.Path)] = true
		}
	}
	return func(path string) bool {
		for d := dirOf(path); d != "" && !projects[d]; d = dirOf(d) {
			if dirs.match(baseOf(d)) {
				return true
			}
		}
		return false
	}
}

// runBy tells whether f has no extension and begins by naming one of the interpreters, which are patterns of path.Match.
func runBy(f File, interpreters []string) bool {
	if f.interpreter == "" || extension(baseOf(f.Path)) != "" {
		return false
	}
	return slices.ContainsFunc(interpreters, func(p string) bool {
		ok, err := path.Match(p, f.interpreter)
		if err != nil {
			panic(fmt.Sprintf("workspace: interpreter %q is broken", p))
		}
		return ok
	})
}

// extension returns the extension of a base name with its dot; that of a dot file is what follows a second dot.
func extension(base string) string { return path.Ext(strings.TrimLeft(base, ".")) }

// Without returns the view without the entries that drop says, and those.
func (v View) Without(drop func(Entry) bool) (View, []Entry) {
	less := View{added: v.added}
	var dropped []Entry
	for _, e := range v.Entries {
		if drop(e) {
			dropped = append(dropped, e)
		} else {
			less.Entries = append(less.Entries, e)
		}
	}
	less.Digest = less.digest()
	return less, dropped
}

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
