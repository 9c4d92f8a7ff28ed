// Package finding holds what a scanner says about a file, in SARIF's words.
package finding

import (
	"cmp"
	"slices"
)

// Level is SARIF's level (SARIF 2.1.0 §3.27.10). A vendor's severity is mapped to it in that vendor's adapter.
type Level string

// The levels, mildest first. SARIF's "none" is not a finding and has no place here.
const (
	Note    Level = "note"
	Warning Level = "warning"
	Error   Level = "error"
)

var ranks = map[Level]int{Note: 1, Warning: 2, Error: 3}

// Valid tells whether l is one of the three levels.
func (l Level) Valid() bool { return ranks[l] > 0 }

// AtLeast tells whether l is as grave as m or graver.
func (l Level) AtLeast(m Level) bool { return ranks[l] >= ranks[m] }

// State says how the gate counts a finding.
type State string

// A finding is New unless the baseline knows it or a suppression covers it.
const (
	New        State = "new"
	Known      State = "known"
	Suppressed State = "suppressed"
)

// Finding is one SARIF result.
type Finding struct {
	Scanner string
	Rule    string // the vendor's rule id, as the vendor prints it
	Level   Level
	Path    string // below the workspace, slashes, the raw bytes of the name; formats escape it
	// Lines and columns count from 1; 0 is not known.
	StartLine, StartColumn, EndLine, EndColumn int
	Message                                    string // never holds a secret in clear
	Fix                                        string // what repairs it, where the vendor says so
	Help                                       string // URL of the rule's own page
	Fingerprints                               map[string]string
	State                                      State
}

// Compare orders findings by place, then rule, scanner, and text: total, so that any arrival order sorts alike.
func Compare(a, b Finding) int {
	return cmp.Or(
		cmp.Compare(a.Path, b.Path),
		cmp.Compare(a.StartLine, b.StartLine),
		cmp.Compare(a.StartColumn, b.StartColumn),
		cmp.Compare(a.Scanner, b.Scanner),
		cmp.Compare(a.Rule, b.Rule),
		cmp.Compare(a.EndLine, b.EndLine),
		cmp.Compare(a.EndColumn, b.EndColumn),
		cmp.Compare(a.Level, b.Level),
		cmp.Compare(a.Message, b.Message),
		cmp.Compare(a.Fix, b.Fix),
		cmp.Compare(a.Help, b.Help),
	)
}

// Sort puts findings in the order of Compare.
func Sort(fs []Finding) { slices.SortFunc(fs, Compare) }
