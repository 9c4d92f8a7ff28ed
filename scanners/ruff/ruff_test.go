package ruff

import (
	"testing"

	"github.com/scangate/scangate/scanners/scannertest"
)

func TestScanner(t *testing.T) { scannertest.Run(t, Scanner) }

func FuzzRead(f *testing.F) { scannertest.Fuzz(f, Scanner) }

func TestLogIsRead(t *testing.T) {
	scannertest.Log(t, Scanner, "findings", "Checking: /workspace/src", "Checked ")
}
