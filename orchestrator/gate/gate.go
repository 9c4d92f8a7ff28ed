// Package gate decides: results, policy, baseline and suppressions in, a Verdict out. It touches nothing.
package gate

// Verdict is of the whole scan: Pass < Fail < Incomplete.
type Verdict string

const (
	Pass       Verdict = "pass"
	Fail       Verdict = "fail"
	Incomplete Verdict = "incomplete"
)
