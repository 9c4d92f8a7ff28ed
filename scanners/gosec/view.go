package gosec

import (
	"bytes"
	"go/build"
	"go/parser"
	"go/token"
	"io"
	"path"
	"strconv"
	"strings"
	"unicode"
)

// excuse tells which files gosec rightly passes over: those that are not built on linux/amd64 with cgo off. A file whose
// head cannot be parsed is not excused.
func excuse(name string, content []byte) string {
	dir, base := path.Split(name)
	c := build.Context{
		GOOS: "linux", GOARCH: "amd64", Compiler: "gc", GOROOT: "/usr/local/go",
		ReleaseTags: releases,
		OpenFile: func(string) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(content)), nil
		},
	}
	match, err := c.MatchFile(dir, base)
	switch {
	case err != nil:
		return ""
	case !match || importsC(content):
		return "build-constraint"
	}
	return ""
}

// releases are those of the toolchain in the image, whatever toolchain built this program.
var releases = func() []string {
	var tags []string
	for minor := 1; minor <= 26; minor++ {
		tags = append(tags, "go1."+strconv.Itoa(minor))
	}
	return tags
}()

// importsC: with cgo off go/build sets such a file aside only after MatchFile.
func importsC(content []byte) bool {
	f, err := parser.ParseFile(token.NewFileSet(), "", content, parser.ImportsOnly)
	if err != nil {
		return false
	}
	for _, spec := range f.Imports {
		if spec.Path.Value == `"C"` {
			return true
		}
	}
	return false
}

// embedded returns globs of what a file's go:embed lines name. A pattern names files beside the file, or folders whole.
// It takes more than the compiler does (any such line, hidden files too), never less.
func embedded(name string, content []byte) []string {
	var globs []string
	dir := literal.Replace(path.Dir(name))
	for line := range bytes.Lines(content) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(string(line)), "//go:embed")
		if !ok {
			continue
		}
		for _, pattern := range words(rest) {
			g := path.Join(dir, strings.TrimPrefix(pattern, "all:"))
			if g == "." {
				g = "**"
			}
			globs = append(globs, g, g+"/**")
		}
	}
	return globs
}

var literal = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`, `{`, `\{`, `}`, `\}`)

// words splits the arguments of go:embed: by white space, quoted as Go strings where they hold some.
func words(s string) []string {
	var all []string
	for {
		s = strings.TrimLeftFunc(s, unicode.IsSpace)
		if s == "" {
			return all
		}
		if q, err := strconv.QuotedPrefix(s); err == nil && s[0] != '\'' {
			if w, err := strconv.Unquote(q); err == nil {
				all = append(all, w)
			}
			s = s[len(q):]
			continue
		}
		end := strings.IndexFunc(s, unicode.IsSpace)
		if end < 0 {
			end = len(s)
		}
		all = append(all, s[:end])
		s = s[end:]
	}
}
