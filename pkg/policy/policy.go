// Package policy is scangate.yaml: what a person decided about scanners, levels, places and limits. It is decoded
// strictly, because a key that is misspelt and ignored is a gate that stands open.
package policy

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/gowebpki/jcs"

	"github.com/scangate/scangate/pkg/finding"
)

// Schema is the value of the key "schema", where a file has it.
const Schema = "scangate.policy/v1"

// Failing is the level from which a finding fails the gate.
type Failing string

// Never is for paths only: findings there stay visible and never fail the gate.
const (
	FromNote    = Failing(finding.Note)
	FromWarning = Failing(finding.Warning)
	FromError   = Failing(finding.Error)
	Never       = Failing("never")
)

// Fails tells whether a finding of level l fails the gate. A level that is none of the three fails it: it was not
// understood, so it is not let by.
func (f Failing) Fails(l finding.Level) bool {
	if f == Never {
		return false
	}
	return !l.Valid() || l.AtLeast(finding.Level(f))
}

// Policy is a whole scangate.yaml with its defaults filled in.
type Policy struct {
	Failing      Failing            `json:"failing"`
	Scanners     map[string]Scanner `json:"scanners"`
	Paths        []Paths            `json:"paths"` // in the file's order: the first that matches wins
	Limits       Limits             `json:"limits"`
	Isolation    Isolation          `json:"isolation"`
	Exemptions   []Exemption        `json:"exemptions"`
	Suppressions []Suppression      `json:"-"` // an input of its own, see SuppressionsDigest

	mentions []mention
}

// mention is where the file names a scanner.
type mention struct {
	name  string
	place string // "scangate.yaml:LINE:COL"
}

// Scanner is what the policy says of one scanner.
type Scanner struct {
	Enabled bool `json:"enabled"`
	// Required: nil is the default: a scanner whose inputs and locked data are present has to look. True makes absent
	// data incomplete too. False lets it break without a say in the verdict; what it found still counts.
	Required *bool   `json:"required"`
	Failing  Failing `json:"failing"` // "" is the policy's
}

// Paths sets the failing level for findings in some places.
type Paths struct {
	Match    []string `json:"match"`    // doublestar globs, or exact paths
	Scanners []string `json:"scanners"` // none: all
	Rules    []string `json:"rules"`    // none: all
	Failing  Failing  `json:"failing"`
	Reason   string   `json:"reason"` // never empty where Failing is Never
}

// Limits cap what jobs and snapshots may use. 0 is not set: each scanner's own need, or the gate's default, holds.
type Limits struct {
	Timeout   time.Duration `json:"timeout"`   // wall, of one job
	Memory    int64         `json:"memory"`    // bytes, of one job
	Stdout    int64         `json:"stdout"`    // bytes, of one job
	Files     int           `json:"files"`     // in a snapshot
	FileBytes int64         `json:"fileBytes"` // of one file
}

// Strength says what happens where an engine cannot enforce an item of the sandbox.
type Strength string

const (
	Must       Strength = "must"       // the job is broken
	BestEffort Strength = "bestEffort" // the next best is used and the run record says so
)

// Isolation raises items of the sandbox to a must.
type Isolation struct {
	Cgroups Strength `json:"cgroups"` // memory, tasks and CPU of a whole job
}

// Suppression is a person's decision that a finding is no concern until a day.
type Suppression struct {
	Scanner     string `json:"scanner"`
	Rule        string `json:"rule"`
	Path        string `json:"path"`        // doublestar glob, or exact path
	Line        int    `json:"line"`        // 0: any
	Fingerprint string `json:"fingerprint"` // scangate/v1; "": any
	Reason      string `json:"reason"`
	Expires     string `json:"expires"` // YYYY-MM-DD, the last day on which it holds
}

// Exemption is a person's decision that a scanner need not look at some files until a day: templates named .js, test
// inputs that are broken on purpose. They stay in the evidence, as not read.
type Exemption struct {
	Scanner string `json:"scanner"`
	Path    string `json:"path"` // doublestar glob, or exact path
	Reason  string `json:"reason"`
	Expires string `json:"expires"` // YYYY-MM-DD, the last day on which it holds
}

// Exempt tells whether a scanner need not look at a path on the day of asOf.
func (p *Policy) Exempt(scanner, path string, asOf time.Time) bool {
	return slices.ContainsFunc(p.Exemptions, func(e Exemption) bool {
		return e.Scanner == scanner && !expired(e.Expires, asOf) && matches(e.Path, path)
	})
}

// Default is the policy of a workspace without scangate.yaml.
func Default() *Policy {
	return &Policy{
		Failing:      FromError,
		Scanners:     map[string]Scanner{},
		Paths:        []Paths{},
		Isolation:    Isolation{Cgroups: BestEffort},
		Exemptions:   []Exemption{},
		Suppressions: []Suppression{},
	}
}

// Scanner gives the settings of a scanner, named in the file or not.
func (p *Policy) Scanner(name string) Scanner {
	if s, ok := p.Scanners[name]; ok {
		return s
	}
	return Scanner{Enabled: true}
}

// FailingFor gives the level from which f fails the gate: of the first entry of Paths that covers it, else of its
// scanner, else of the policy.
func (p *Policy) FailingFor(f finding.Finding) Failing {
	for _, e := range p.Paths {
		if e.covers(f) {
			return e.Failing
		}
	}
	if s := p.Scanner(f.Scanner); s.Failing != "" {
		return s.Failing
	}
	return p.Failing
}

func (e Paths) covers(f finding.Finding) bool {
	return (len(e.Scanners) == 0 || slices.Contains(e.Scanners, f.Scanner)) &&
		(len(e.Rules) == 0 || slices.Contains(e.Rules, f.Rule)) &&
		slices.ContainsFunc(e.Match, func(glob string) bool { return matches(glob, f.Path) })
}

// Covers tells whether s is about f. It does not look at the day.
func (s Suppression) Covers(f finding.Finding) bool {
	return s.Scanner == f.Scanner && s.Rule == f.Rule && matches(s.Path, f.Path) &&
		(s.Line == 0 || s.Line == f.StartLine) &&
		(s.Fingerprint == "" || s.Fingerprint == f.Fingerprints[finding.V1])
}

// Expired tells whether s no longer holds on the day of asOf. Without a day nothing holds.
func (s Suppression) Expired(asOf time.Time) bool { return expired(s.Expires, asOf) }

func expired(day string, asOf time.Time) bool {
	return asOf.IsZero() || asOf.UTC().Format(time.DateOnly) > day
}

// matches takes the path as reports print it. The exact path matches too, because names such as "app/[id]/page.tsx"
// read as globs.
func matches(glob, path string) bool {
	shown := finding.EncodePath(path)
	if glob == shown {
		return true
	}
	ok, err := doublestar.Match(glob, shown)
	return err == nil && ok
}

// Digest is "sha256:…" of what the policy says, without its suppressions. Comments, order of keys and defaults that
// are written out do not change it.
func (p *Policy) Digest() string {
	effective := *p
	effective.Scanners = map[string]Scanner{}
	for name, s := range p.Scanners {
		if s != (Scanner{Enabled: true}) {
			effective.Scanners[name] = s
		}
	}
	return digest(effective)
}

// SuppressionsDigest is "sha256:…" of the suppressions in any order, or "" where there are none.
func (p *Policy) SuppressionsDigest() string {
	if len(p.Suppressions) == 0 {
		return ""
	}
	return digest(slices.SortedFunc(slices.Values(p.Suppressions), CompareSuppressions))
}

// CompareSuppressions orders suppressions by all they say.
func CompareSuppressions(a, b Suppression) int {
	return cmp.Or(
		cmp.Compare(a.Scanner, b.Scanner),
		cmp.Compare(a.Rule, b.Rule),
		cmp.Compare(a.Path, b.Path),
		cmp.Compare(a.Line, b.Line),
		cmp.Compare(a.Fingerprint, b.Fingerprint),
		cmp.Compare(a.Expires, b.Expires),
		cmp.Compare(a.Reason, b.Reason),
	)
}

// digest panics where v has no JSON: its callers pass this package's plain data only.
func digest(v any) string {
	plain, err := json.Marshal(v)
	if err == nil {
		plain, err = jcs.Transform(plain)
	}
	if err != nil {
		panic(fmt.Sprintf("policy: canonical json: %v", err))
	}
	sum := sha256.Sum256(plain)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Check refuses a policy that names a scanner which is not among known: the first such place in the file.
func (p *Policy) Check(known []string) error {
	for _, m := range p.mentions {
		if !slices.Contains(known, m.name) {
			return fmt.Errorf("%s: unknown scanner %q%s", m.place, m.name, suggest(m.name, known))
		}
	}
	return nil
}
