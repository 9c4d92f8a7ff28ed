//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// sarifSchema is the OASIS schema of SARIF 2.1.0 (errata 01), as the Go module go-sarif v3.3.1 carries it.
func sarifSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	const module, sum = "github.com/owenrumney/go-sarif/v3@v3.3.1", "h1:bKY8YnWcY8zYTiGVObC5wZLlfEvMkCxK9XMGXBbzEtQ="
	c := exec.Command("go", "mod", "download", "-json", module)
	c.Dir = t.TempDir()
	out, err := c.Output()
	if err != nil {
		t.Fatalf("download %s: %v %s", module, err, out)
	}
	var got struct{ Dir, Sum string }
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if got.Sum != sum {
		t.Fatalf("%s is %s, want %s", module, got.Sum, sum)
	}
	file, err := parser.ParseFile(gotoken.NewFileSet(), filepath.Join(got.Dir, "pkg/report/v210/sarif/schema.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	text, err := strconv.Unquote(file.Scope.Lookup("schema").Decl.(*ast.ValueSpec).Values[0].(*ast.BasicLit).Value)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(text)))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("sarif.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("sarif.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestSARIFIsValid(t *testing.T) {
	schema := sarifSchema(t)
	validate := func(text []byte) error {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(doc)
	}
	if validate([]byte(`{"version": "2.1.0", "runs": [{"tool": {}}]}`)) == nil {
		t.Fatal("the schema accepts a run without a driver: it shows nothing")
	}
	for _, row := range []struct {
		name  string
		files map[string]string
		exit  int
		runs  int
	}{
		{"findings", map[string]string{"a.py": "eval(input())\nimport os\nos.system(input())\n", "b.sh": "#!/bin/sh\ncd $1\n", "odd \x1b[2K\n::error::.sh": "#!/bin/sh\nrm $1\n"}, 1, 5},
		{"a scanner that could not look", map[string]string{"a.py": "def f(:\n"}, 3, 5},
		{"clean", map[string]string{"a.sh": "#!/bin/sh\necho hello\n"}, 0, 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range row.files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			c := exec.Command(command(t), "run", dir, "--engine", "embedded", "--format", "sarif")
			out, _ := c.Output()
			if got := c.ProcessState.ExitCode(); got != row.exit {
				t.Errorf("exit status %d, want %d", got, row.exit)
			}
			if err := validate(out); err != nil {
				t.Error(err)
			}
			var log struct{ Runs []json.RawMessage }
			if err := json.Unmarshal(out, &log); err != nil {
				t.Fatal(err)
			}
			if len(log.Runs) != row.runs {
				t.Errorf("%d runs, want %d", len(log.Runs), row.runs)
			}
		})
	}
}
