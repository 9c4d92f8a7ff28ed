package gosec

import (
	"slices"
	"testing"

	"github.com/bmatcuk/doublestar/v4"
)

func TestExcuse(t *testing.T) {
	for _, row := range []struct{ name, path, text, want string }{
		{"an ordinary file", "a/a.go", "package a\n", ""},
		{"a file of another system, by name", "a/a_windows.go", "package a\n", "build-constraint"},
		{"a file of another machine, by name", "a/a_arm64.go", "package a\n", "build-constraint"},
		{"a file of this system, by name", "a/a_linux_amd64.go", "package a\n", ""},
		{"a constraint", "a/a.go", "//go:build ignore\n\npackage a\n", "build-constraint"},
		{"a constraint that holds", "a/a.go", "//go:build linux && !cgo\n\npackage a\n", ""},
		{"a release that the toolchain has", "a/a.go", "//go:build go1.26\n\npackage a\n", ""},
		{"a release that it has not", "a/a.go", "//go:build go1.27\n\npackage a\n", "build-constraint"},
		{"cgo", "a/a.go", "package a\n\nimport \"C\"\n", "build-constraint"},
		{"a constraint below the package clause is none", "a/a.go", "package a\n\n//go:build ignore\n", ""},
		{"a file that the go command passes over", "a/_a.go", "package a\n", "build-constraint"},
		{"a head that cannot be parsed", "a/a.go", "packge a\n", ""},
		{"a body that cannot be parsed", "a/a.go", "package a\n\nfunc (\n", ""},
		{"an empty file", "a/a.go", "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := excuse(row.path, []byte(row.text)); got != row.want {
				t.Errorf("%q, want %q", got, row.want)
			}
		})
	}
}

func TestEmbeddedFilesAreBeside(t *testing.T) {
	for _, row := range []struct {
		name, path, text string
		in, out          []string
	}{
		{"a file", "a/a.go", "//go:embed page.html", []string{"a/page.html"}, []string{"page.html", "a/b/page.html"}},
		{"at the root", "a.go", "//go:embed page.html", []string{"page.html"}, []string{"a/page.html"}},
		{"a folder is taken whole", "a/a.go", "//go:embed web", []string{"a/web/x/y.css"}, []string{"web/x"}},
		{"with all:", "a/a.go", "//go:embed all:web", []string{"a/web/.x"}, nil},
		{"several", "a/a.go", "//go:embed x.txt\ty.txt", []string{"a/x.txt", "a/y.txt"}, nil},
		{"quoted", "a/a.go", "//go:embed \"x y.txt\" `z z.txt`", []string{"a/x y.txt", "a/z z.txt"}, nil},
		{"a pattern", "a/a.go", "//go:embed *.sql", []string{"a/1.sql", "a/d.sql/x"}, []string{"a/b/1.sql"}},
		{"below a folder with a bracket in its name", "a[b]/a.go", "//go:embed x", []string{"a[b]/x"}, []string{"ab/x"}},
		{"all of the root", "a.go", "//go:embed all:.", []string{"x", "y/z"}, nil},
		{"indented with CRLF", "a/a.go", "\t//go:embed x.txt\r\n", []string{"a/x.txt"}, nil},
		{"no embedding", "a/a.go", "// go:embed x.txt\nvar s = \"x\"", nil, []string{"a/x.txt"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			globs := embedded(row.path, []byte(row.text))
			matches := func(p string) bool {
				return slices.ContainsFunc(globs, func(g string) bool { return doublestar.MatchUnvalidated(g, p) })
			}
			for _, p := range row.in {
				if !matches(p) {
					t.Errorf("%v does not hold %s", globs, p)
				}
			}
			for _, p := range row.out {
				if matches(p) {
					t.Errorf("%v holds %s", globs, p)
				}
			}
		})
	}
}
