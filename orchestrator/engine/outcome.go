package engine

import (
	"fmt"
	"strings"
	"time"

	"github.com/scangate/scangate/orchestrator/engine/sandbox"
)

// Grace is how long after the job's deadline an engine waits for the init, which has the same deadline, to say so. Then
// the engine kills the container and sets Seen.Overdue.
const Grace = 10 * time.Second

// Seen is what an engine saw of a job from outside.
type Seen struct {
	Stream  error // of sandbox.Collect
	OOM     bool  // the out-of-memory killer took any process of the job
	Overdue bool  // the engine killed the job at its own deadline
	Cgroups bool  // a cgroup holds memory, pids and CPU of the whole job
	Wall    time.Duration
}

// Conclude is the Outcome of a job, by the same rules on every engine: what weakens trust in the answer most comes
// first. A job that the caller cancelled has no Outcome; Run gives the context's error instead.
func Conclude(j Job, c sandbox.Collected, s Seen) Outcome {
	o := Outcome{Stdout: c.Stdout, Stderr: c.Stderr, Usage: Usage{Wall: s.Wall}}
	if c.Facts != nil {
		o.Facts = *c.Facts
	}
	o.Facts.Cgroups = s.Cgroups
	if t := c.Trailer; t != nil {
		o.Exit = t.Exit
		o.Usage.CPU, o.Usage.MaxRSS = t.CPU, t.MaxRSS
	}
	o.Fault, o.Detail = judge(j, c, s, o.Facts)
	return o
}

func judge(j Job, c sandbox.Collected, s Seen, f sandbox.Facts) (Fault, string) {
	if c.Facts != nil {
		if w := sandbox.Weaker(f, j.Require); len(w) > 0 {
			return Isolation, strings.Join(w, "; ")
		}
	}
	t := c.Trailer
	switch {
	case s.OOM:
		return Memory, fmt.Sprintf("out of memory at %d MiB", j.Limits.Memory>>20)
	case s.Overdue:
		return Timeout, fmt.Sprintf("killed from outside %s after its limit of %s", Grace, j.Limits.Timeout)
	case s.Stream != nil:
		return Lost, s.Stream.Error()
	case t == nil:
		return Lost, "the stream ended without its trailer"
	case t.Fault != "":
		return trailerFault(t)
	case c.Facts == nil:
		return Isolation, "the init sent no facts"
	case t.Signal != 0:
		return Killed, fmt.Sprintf("the program ended by signal %d", t.Signal)
	}
	return "", ""
}

// trailerFault takes only the faults an init can know of.
func trailerFault(t *sandbox.Trailer) (Fault, string) {
	switch f := Fault(t.Fault); f {
	case Timeout, Output, Start, Isolation:
		return f, t.Detail
	}
	return Lost, fmt.Sprintf("the trailer has an unknown fault %q", t.Fault)
}
