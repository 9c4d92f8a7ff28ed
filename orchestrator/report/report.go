// Package report tells a decision to people, agents and programs. It is pure: a Report in, bytes out, with no clock,
// host name or absolute path. What scanners and file names say is hostile text and is shown as text only.
package report

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/gowebpki/jcs"

	"github.com/scangate/scangate/orchestrator/gate"
	"github.com/scangate/scangate/pkg/finding"
)

// Schema is the result document's, see docs/schema/result.schema.json.
const Schema = "scangate.result/v1"

// Inputs are what a verdict is a function of. Digests are "sha256:…"; "" is none.
type Inputs struct {
	Snapshot, Policy, Lock, Baseline, Suppressions string

	Base       string   // commit that the baseline is of
	Platform   string   // "linux/amd64"
	AsOf       string   // YYYY-MM-DD
	Restricted []string // names of the scanners that were asked for; nil: all, the gate
}

// LeftOut is something in the workspace that is not in the snapshot.
type LeftOut struct {
	Path   string // below the workspace, raw
	Reason string
}

// Report is what one scan came to.
type Report struct {
	Inputs   Inputs
	Decision gate.Decision
	LeftOut  []LeftOut
	Files    int               // distinct files that some scanner had in its scope; 0: not known
	Homes    map[string]string // URL of each scanner's own home, for SARIF
}

// JSON writes the result document: canonical JSON (RFC 8785), without a newline at its end.
func (r Report) JSON(w io.Writer) error {
	doc, err := r.canonical()
	if err != nil {
		return err
	}
	_, err = w.Write(doc)
	return err
}

// Digest is the result digest: "sha256:…" of the bytes that JSON writes.
func (r Report) Digest() (string, error) {
	doc, err := r.canonical()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(doc)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

func (r Report) canonical() ([]byte, error) {
	plain, err := json.Marshal(r.document())
	if err != nil {
		return nil, fmt.Errorf("write result: %w", err)
	}
	doc, err := jcs.Transform(plain)
	if err != nil {
		return nil, fmt.Errorf("write result: canonical json: %w", err)
	}
	return doc, nil
}

// findings gives all of them in one total order.
func (r Report) findings() []finding.Finding {
	var all []finding.Finding
	for _, s := range r.Decision.Results {
		all = append(all, s.Findings...)
	}
	slices.SortStableFunc(all, func(a, b finding.Finding) int {
		return cmp.Or(finding.Compare(a, b), cmp.Compare(a.Fingerprints[finding.V1], b.Fingerprints[finding.V1]))
	})
	return all
}

// blocks tells whether f is among the findings that fail the gate.
func (r Report) blocks(f finding.Finding) bool {
	if f.State != finding.New {
		return false
	}
	_, ok := slices.BinarySearchFunc(r.Decision.Blocking, f, finding.Compare)
	return ok
}

// summary counts the findings, each once.
type summary struct {
	Blocking   int  `json:"blocking"`
	Below      int  `json:"belowFailing"` // new, and under the failing level of their place
	Known      int  `json:"known"`
	Suppressed int  `json:"suppressed"`
	Looked     int  `json:"scannersLooked"`
	Files      *int `json:"files"`
}

func (r Report) summary() summary {
	var s summary
	for _, f := range r.findings() {
		switch {
		case f.State == finding.Known:
			s.Known++
		case f.State == finding.Suppressed:
			s.Suppressed++
		case r.blocks(f):
			s.Blocking++
		default:
			s.Below++
		}
	}
	for _, res := range r.Decision.Results {
		if gate.Looked(res) {
			s.Looked++
		}
	}
	if r.Files > 0 {
		s.Files = &r.Files
	}
	return s
}

// sentences say a gate's reason to a person; %s is its subject.
var sentences = map[gate.Code]string{
	gate.BlockingFindings:  "findings are at or over the failing level of their place",
	gate.ScannerBroken:     "scanner %s could not look",
	gate.NotConfigured:     "scanner %s is required and its locked image or data is absent",
	gate.ScannerMissing:    "scanner %s is enabled and gave no result",
	gate.ScannerTwice:      "scanner %s gave more than one result",
	gate.EvidenceMissing:   "scanner %s gave no evidence that it looked",
	gate.UnknownScanner:    "there is no scanner %s",
	gate.FileUnreadable:    "%s could not be taken into the snapshot",
	gate.NothingScanned:    "no scanner looked at any file",
	gate.SuppressionLapsed: "the suppression of %s has expired",
	gate.BrokenAdvisory:    "scanner %s could not look, and need not",
	gate.OnlySome:          "only some scanners were asked for: this is not the gate",
}

// sentence gives one line for a reason.
func sentence(reason gate.Reason) string {
	form := sentences[reason.Code]
	if strings.Contains(form, "%s") {
		return fmt.Sprintf(form, visible(reason.Subject, maxPath))
	}
	return form
}

// because is sentence, with the scanner's own reasons where it is about a scanner.
func (r Report) because(reason gate.Reason) string {
	said := sentence(reason)
	if reason.Code != gate.ScannerBroken && reason.Code != gate.BrokenAdvisory {
		return said
	}
	for _, res := range r.Decision.Results {
		if res.Scanner == reason.Subject {
			for _, why := range res.Reasons {
				said += "; " + line(why.Code, maxName) + ": " + line(why.Message, maxShort)
			}
		}
	}
	return said
}
