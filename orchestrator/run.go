package orchestrator

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/sourcegraph/conc/iter"
	"github.com/sourcegraph/conc/panics"
	"golang.org/x/sync/semaphore"

	"github.com/scangate/scangate/orchestrator/engine"
)

// ran is what came of one job. Err means that the engine could not run it at all.
type ran struct {
	Outcome engine.Outcome
	Err     error
}

// budget is what all running jobs may have together: cores by --jobs, memory by the machine.
type budget struct {
	Cores  int
	Memory int64 // bytes
}

// run runs the jobs, as many at once as the budget holds, and returns what came of them in the jobs' order. Jobs of many
// cores start first: a wide one that waits in the middle leaves cores idle before it. A job that needs more than the whole
// budget runs alone. Nobody's failure cancels another; a panic is that job's error. tell hears
// of each job's start and end, from several goroutines.
func run(ctx context.Context, eng engine.Engine, jobs []engine.Job, b budget, tell func(i int, ended bool)) []ran {
	cores, memory := semaphore.NewWeighted(int64(b.Cores)), semaphore.NewWeighted(b.Memory)
	indexes := make([]int, len(jobs))
	for i := range indexes {
		indexes[i] = i
	}
	slices.SortStableFunc(indexes, func(a, b int) int { return cmp.Compare(jobs[b].Limits.CPU, jobs[a].Limits.CPU) })
	// conc v0.3.0's ResultPool returns results as they arrive; Mapper keeps the order of its input.
	mapper := iter.Mapper[int, ran]{MaxGoroutines: b.Cores}
	results := make([]ran, len(jobs))
	for at, r := range mapper.Map(indexes, func(i *int) ran {
		j := jobs[*i]
		// Always cores before memory, so that two jobs never wait for each other.
		c, m := min(int64(max(1, j.Limits.CPU)), int64(b.Cores)), min(j.Limits.Memory, b.Memory)
		if err := cores.Acquire(ctx, c); err != nil {
			return ran{Err: err}
		}
		defer cores.Release(c)
		if err := memory.Acquire(ctx, m); err != nil {
			return ran{Err: err}
		}
		defer memory.Release(m)
		tell(*i, false)
		defer tell(*i, true)
		return caught(func() ran {
			o, err := eng.Run(ctx, j)
			return ran{Outcome: o, Err: err}
		})
	}) {
		results[indexes[at]] = r
	}
	return results
}

// caught turns a panic into an error that names it.
func caught(f func() ran) (r ran) {
	if p := panics.Try(func() { r = f() }); p != nil {
		return ran{Err: &panicError{p}}
	}
	return r
}

// panicError is a panic of an engine or an adapter, held to the one scanner it hit.
type panicError struct{ *panics.Recovered }

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }
