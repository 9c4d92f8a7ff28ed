package gitleaks

import (
	"testing"

	"github.com/scangate/scangate/scanners/scannertest"
)

func TestScanner(t *testing.T) { scannertest.Run(t, Scanner) }

func FuzzRead(f *testing.F) { scannertest.Fuzz(f, Scanner) }

func TestOnlyWhatIsNoTextIsExcused(t *testing.T) {
	for content, want := range map[string]string{
		"":                   "",
		"%PDF-1.4\ntext":     "",
		"plain \u00e9 text":  "",
		"%PDF-1.4\n\x00\x01": "binary",
		"caf\xe9":            "binary",
	} {
		if got := excuse("x.tar", []byte(content)); got != want {
			t.Errorf("excuse(%q) = %q, want %q", content, got, want)
		}
	}
}

func TestLogIsRead(t *testing.T) {
	scannertest.Log(t, Scanner, "findings", "scanning path path=/workspace/node_modules", "scanned ~", "leaks found: ")
}
