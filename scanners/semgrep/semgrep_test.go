package semgrep

import (
	"testing"

	"github.com/scangate/scangate/scanners/scannertest"
)

func TestScanner(t *testing.T) { scannertest.Run(t, Scanner) }

func FuzzRead(f *testing.F) { scannertest.Fuzz(f, Scanner) }

func TestExcuse(t *testing.T) {
	for _, row := range []struct{ name, file, text, want string }{
		{"a template of XML", "init/smf.tpl", "<?xml version=\"1.0\"?>\n<service_bundle/>\n", "xml"},
		{"XML and PHP", "page.tpl", "<?xml version=\"1.0\"?>\n<?php eval($_GET['x']); ?>\n", ""},
		{"XML and PHP by a short tag", "page.tpl", "<?xml version=\"1.0\"?>\n<? eval($_GET['x']); ?>\n", ""},
		{"no tag at all, which it can parse", "page.tpl", "{{ .Values }}\n", ""},
		{"PHP by its name", "page.php", "<?xml version=\"1.0\"?>\n", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := Scanner.Excuse(row.file, []byte(row.text)); got != row.want {
				t.Errorf("excuse %q, want %q", got, row.want)
			}
		})
	}
}
