package bandit

import (
	"testing"

	"github.com/scangate/scangate/scanners/scannertest"
)

func TestScanner(t *testing.T) { scannertest.Run(t, Scanner) }

func FuzzRead(f *testing.F) { scannertest.Fuzz(f, Scanner) }

func TestMask(t *testing.T) {
	for in, want := range map[string]string{
		"Possible hardcoded password: 'a'":          "Possible hardcoded password: '…'",
		"Possible hardcoded password: 'it's'":       "Possible hardcoded password: '…'",
		"Possible hardcoded password: 'two\nlines'": "Possible hardcoded password: '…'",
		"Possible hardcoded password: ''":           "Possible hardcoded password: '…'",
	} {
		if got := mask("B105", in); got != want {
			t.Errorf("mask(%q) = %q, want %q", in, got, want)
		}
	}
	if got := mask("B101", "the 'x' stays"); got != "the 'x' stays" {
		t.Errorf("mask changed a rule that prints no password: %q", got)
	}
}
