package workspace

import (
	"bytes"
	"strings"
)

// ignoreFile is one .gitignore: rules for the names below its folder.
type ignoreFile struct {
	dir   string // path of its folder, "" for the root
	above *ignoreFile
	rules []ignoreRule
}

// ignoreRule is one line of a .gitignore (gitignore(5); dir.c of git 2.39, from which the corners are).
type ignoreRule struct {
	negated  bool
	onlyDirs bool
	anywhere bool // no "/" in it: matched against the base name
	literal  string
	suffix   bool      // "*" and then literal
	wild     *wildcard // what comes behind literal, where it is not all
	never    bool
}

// parseIgnore reads a .gitignore that lies in dir.
func parseIgnore(text []byte, dir string, above *ignoreFile) *ignoreFile {
	f := &ignoreFile{dir: dir, above: above}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	for line := range strings.SplitSeq(string(text), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		line = strings.TrimSuffix(line, "\r")
		line, _, _ = strings.Cut(line, "\x00")
		line = trimSpaces(line)
		if line != "" {
			f.rules = append(f.rules, parseIgnoreRule(line))
		}
	}
	return f
}

// trimSpaces cuts trailing spaces, up to one that a backslash quotes.
func trimSpaces(line string) string {
	end := -1
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case ' ':
			if end < 0 {
				end = i
			}
			continue
		case '\\':
			i++
			if i == len(line) {
				return line
			}
		}
		end = -1
	}
	if end >= 0 {
		return line[:end]
	}
	return line
}

func parseIgnoreRule(line string) ignoreRule {
	var r ignoreRule
	line, r.negated = strings.CutPrefix(line, "!")
	line, r.onlyDirs = strings.CutSuffix(line, "/")
	r.anywhere = !strings.Contains(line, "/")
	line = strings.TrimPrefix(line, "/")
	plain := strings.IndexAny(line, `*?[\`)
	switch {
	case plain < 0:
		r.literal = line
	case r.anywhere && line[0] == '*' && !strings.ContainsAny(line[1:], `*?[\`):
		r.literal, r.suffix = line[1:], true
	case r.anywhere:
		r.wild = compileWildcard(line)
		r.never = r.wild == nil
	default:
		// git compares the plain part first and begins to match behind it, so in "a**/b" the "**" stands at a beginning.
		r.literal = line[:plain]
		r.wild = compileWildcard(line[plain:])
		r.never = r.wild == nil
	}
	return r
}

// matches tells whether the rule speaks of a name, given below the folder of the rule's file.
func (r *ignoreRule) matches(below, base string, isDir bool) bool {
	if r.never || r.onlyDirs && !isDir {
		return false
	}
	name := below
	if r.anywhere {
		name = base
	}
	switch {
	case r.suffix:
		return strings.HasSuffix(name, r.literal)
	case r.wild == nil:
		return name == r.literal
	}
	rest, ok := strings.CutPrefix(name, r.literal)
	return ok && r.wild.match(rest)
}

// ignores tells whether path is ignored, its folder not being so: the last rule of the deepest file that speaks of it
// decides. What lies in an ignored folder is ignored whatever the rules say; that is the walk's to know.
func (f *ignoreFile) ignores(path, base string, isDir bool) bool {
	for ; f != nil; f = f.above {
		below := path
		if f.dir != "" {
			below = path[len(f.dir)+1:]
		}
		for i := len(f.rules) - 1; i >= 0; i-- {
			if f.rules[i].matches(below, base, isDir) {
				return !f.rules[i].negated
			}
		}
	}
	return false
}
