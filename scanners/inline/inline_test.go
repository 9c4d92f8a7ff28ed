package inline

import (
	"regexp"
	"testing"

	"github.com/scangate/scangate/pkg/finding"
)

func TestFindNamesLineAndColumn(t *testing.T) {
	got := Find("a.sh", []byte("#!/bin/sh\r\n  # off=all\r\necho off\n# off=x"), regexp.MustCompile(`# off=\w+$`))
	if len(got) != 2 {
		t.Fatalf("%d findings, want 2: %+v", len(got), got)
	}
	for i, want := range []struct{ line, column, end int }{{2, 3, 12}, {4, 1, 8}} {
		f := got[i]
		if f.StartLine != want.line || f.StartColumn != want.column || f.EndColumn != want.end {
			t.Errorf("finding %d at %d:%d-%d, want %d:%d-%d", i, f.StartLine, f.StartColumn, f.EndColumn, want.line, want.column, want.end)
		}
		if f.Path != "a.sh" || f.Rule != Rule || f.Level != finding.Error || f.Message == "" {
			t.Errorf("finding %d is %+v", i, f)
		}
	}
}
