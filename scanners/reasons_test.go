package scanners

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestEveryReasonIsInTheReference(t *testing.T) {
	text, err := os.ReadFile("../docs/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	for code, message := range messages {
		if !strings.Contains(string(text), "| `"+code+"` | ") {
			t.Errorf("docs/reference.md does not explain %q (%s)", code, message)
		}
	}
}

func TestEveryCodeThatIsDeclaredHasItsMessage(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "reasons.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "Code" {
			return true
		}
		declared++
		code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		if messages[code] == "" {
			t.Errorf("%s (%s) has no message: Because would panic", spec.Names[0], code)
		}
		return true
	})
	if declared != len(messages) {
		t.Errorf("%d codes are declared, %d have a message", declared, len(messages))
	}
}
