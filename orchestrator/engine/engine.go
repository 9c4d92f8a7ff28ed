// Package engine says what a container job is and what comes of it. It knows no scanner.
package engine

import (
	"context"
	"time"

	"github.com/scangate/scangate/orchestrator/engine/sandbox"
)

// Engine runs jobs. Run may be called from many goroutines. An error means that the engine could not run the job at
// all; everything that happened to the job itself is in the Outcome.
type Engine interface {
	Name() string
	Run(ctx context.Context, j Job) (Outcome, error)
	// Sweep removes what earlier, killed runs have left behind.
	Sweep(ctx context.Context) error
	Close() error
}

// Image names the exact bytes a job runs from. Both digests are "sha256:…" of one platform's image.
type Image struct {
	Name     string
	Manifest string
	Config   string
}

// Mount is a host folder that the job sees read-only, nosuid, nodev.
type Mount struct {
	Source string // absolute, on the host
	Target string // absolute, in the container
}

// Job is one container to run: the same value for every engine.
type Job struct {
	Name    string // of the scanner, for labels and messages
	Image   Image
	Command []string
	Env     []string
	Dir     string  // working directory in the container
	Mounts  []Mount // the view at /workspace; a folder with config and data at /scangate; deeper ones after shallower ones
	Limits  sandbox.Limits
	Require sandbox.Require // what bestEffort items are a must
}

// Outcome is what became of a Job.
type Outcome struct {
	Exit           int // the program's exit status, where Fault is ""
	Stdout, Stderr []byte
	Fault          Fault
	Detail         string // one line, for people
	Facts          sandbox.Facts
	Usage          Usage
}

// Fault says why an Outcome is no answer. "" means: the program ended by itself, its output is whole (length and digest
// agree with the init's trailer) and the sandbox was as strong as asked for.
type Fault string

const (
	Timeout   Fault = "timeout"   // deadline
	Memory    Fault = "memory"    // an out-of-memory kill of any process of the job, also where the exit status is 0
	Output    Fault = "output"    // output cap
	Killed    Fault = "killed"    // the program ended by a signal
	Start     Fault = "start"     // the program could not be started: not found, exec format
	Isolation Fault = "isolation" // the sandbox is weaker than asked for
	Lost      Fault = "lost"      // the stream ended without its trailer, or does not agree with it
)

// Usage is what the job used. It goes to the run record only.
type Usage struct {
	Wall, CPU time.Duration
	MaxRSS    int64 // bytes
}
