package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/scangate/scangate/"

// may says which rooms of ours a room may import, by prefix: main → orchestrator → {scanners, images} → pkg, and inside
// the orchestrator no room but the outermost sees both scanners and containers. The longest matching key counts.
var may = map[string][]string{
	"":                             {"orchestrator/cli"},
	"pkg":                          {"pkg"},
	"scanners":                     {"scanners", "pkg"},
	"images":                       {"images", "pkg"},
	"orchestrator":                 {"orchestrator", "scanners", "images", "pkg"},
	"orchestrator/cli":             {"orchestrator", "scanners", "images", "pkg"},
	"orchestrator/workspace":       {"pkg"},
	"orchestrator/cache":           {},
	"orchestrator/gomod":           {},
	"orchestrator/engine":          {"orchestrator/engine"},
	"orchestrator/engine/sandbox":  {"orchestrator/engine/sandbox"},
	"orchestrator/engine/docker":   {"orchestrator/engine", "pkg/lease"},
	"orchestrator/engine/embedded": {"orchestrator/engine", "pkg/lease"},
	"orchestrator/plan":            {"orchestrator/engine", "orchestrator/workspace", "scanners", "images", "pkg"},
	"orchestrator/gate":            {"scanners", "pkg"},
	"orchestrator/report":          {"orchestrator/gate", "scanners", "pkg"},
	"e2e":                          {"orchestrator", "scanners", "images", "pkg"},
	"docs":                         {},
}

// only names third-party modules that one room alone may import.
var only = map[string]string{
	"github.com/docker/docker/":                 "orchestrator/engine/docker",
	"github.com/opencontainers/runc/":           "orchestrator/engine/embedded",
	"github.com/testcontainers/testcontainers-": "", // tests alone
}

func TestImportsFallOneWay(t *testing.T) {
	seen := 0
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		file = filepath.ToSlash(file)
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && file != "." || d.Name() == "testdata" || file == "bin") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(file, ".go") {
			return nil
		}
		seen++
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		room := strings.TrimPrefix(path.Dir(file), ".")
		test := strings.HasSuffix(file, "_test.go") || strings.HasSuffix(room, "test")
		for _, i := range f.Imports {
			name, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			for prefix, owner := range only {
				if strings.HasPrefix(name, prefix) && room != owner && !test {
					t.Errorf("%s imports %s: only %q may", file, name, owner)
				}
			}
			if ours, ok := strings.CutPrefix(name, module); ok && !test && !allowed(room, ours) {
				t.Errorf("%s imports %s: against the direction of imports", file, ours)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 50 {
		t.Fatalf("read %d files: this test looked at nothing", seen)
	}
}

func allowed(room, imported string) bool {
	best, found := "", false
	for key := range may {
		if (room == key || strings.HasPrefix(room, key+"/")) && len(key) >= len(best) {
			best, found = key, true
		}
	}
	if !found {
		return room == "" && imported == may[""][0]
	}
	for _, prefix := range may[best] {
		if imported == prefix || strings.HasPrefix(imported, prefix+"/") {
			return true
		}
	}
	return false
}
