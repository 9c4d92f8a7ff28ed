package report

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/scangate/scangate/pkg/finding"
	"github.com/scangate/scangate/pkg/sarif"
	"github.com/scangate/scangate/scanners"
)

// TestWhatIsWrittenAsSARIFIsReadBack reads each run with the strict reader of scanners' reports: it takes the runs that are
// whole for what they are, and no run of a scanner that could not look.
func TestWhatIsWrittenAsSARIFIsReadBack(t *testing.T) {
	reports := scans(t)
	odd := result("bandit", 1, finding.Finding{Rule: "B1", Level: finding.Warning, Path: "a b/\xff%/ü#?.py", StartLine: 1, Message: "m"})
	r := reports["pass"]
	r.Decision.Results = []scanners.Result{odd}
	reports["odd names"] = r
	runs := 0
	for name, r := range reports {
		var b bytes.Buffer
		if err := r.SARIF(&b); err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Version string            `json:"version"`
			Runs    []json.RawMessage `json:"runs"`
		}
		if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
			t.Fatal(err)
		}
		of := map[string]scanners.Result{}
		for _, res := range r.Decision.Results {
			of[res.Scanner] = res
		}
		for _, run := range doc.Runs {
			var tool struct {
				Tool struct{ Driver struct{ Name string } }
			}
			if err := json.Unmarshal(run, &tool); err != nil {
				t.Fatal(err)
			}
			scanner := tool.Tool.Driver.Name
			one, err := json.Marshal(map[string]any{"version": doc.Version, "runs": []json.RawMessage{run}})
			if err != nil {
				t.Fatal(err)
			}
			got, err := sarif.Read(one, sarif.Options{Tool: scanner, Root: "/workspace"})
			res, known := of[scanner]
			if !known || res.Status == scanners.Broken {
				if err == nil {
					t.Errorf("%s: the run of %s, which could not look, is read as one with %d results", name, scanner, len(got))
				}
				continue
			}
			runs++
			if err != nil || len(got) != len(res.Findings) {
				t.Errorf("%s: %s: %d of %d findings, %v", name, scanner, len(got), len(res.Findings), err)
				continue
			}
			for i, f := range got {
				want := res.Findings[i]
				if f.Rule != want.Rule || f.Level != want.Level || f.Path != want.Path || f.Message != want.Message ||
					f.StartLine != want.StartLine || f.StartColumn != want.StartColumn || f.EndLine != want.EndLine || f.EndColumn != want.EndColumn {
					t.Errorf("%s: %+v came back as %+v", name, want, f)
				}
			}
		}
	}
	if runs < 5 {
		t.Errorf("%d runs were read back: this test looked at too little", runs)
	}
}
