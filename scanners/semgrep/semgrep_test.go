package semgrep

import (
	"testing"

	"github.com/scangate/scangate/scanners/scannertest"
)

func TestScanner(t *testing.T) { scannertest.Run(t, Scanner) }

func FuzzRead(f *testing.F) { scannertest.Fuzz(f, Scanner) }
