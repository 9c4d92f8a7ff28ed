package orchestrator

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate/orchestrator/engine"
	"github.com/scangate/scangate/orchestrator/engine/sandbox"
)

// clock is an engine whose jobs take as long as their names say.
type clock struct {
	mu         sync.Mutex
	cores, top int
	memory     int64
	over       bool
	budget     budget
}

func (*clock) Name() string                { return "clock" }
func (*clock) Sweep(context.Context) error { return nil }
func (*clock) Close() error                { return nil }

func (c *clock) Run(ctx context.Context, j engine.Job) (engine.Outcome, error) {
	switch j.Name {
	case "panics":
		panic("adapter")
	case "fails":
		return engine.Outcome{}, errors.New("no such image")
	}
	c.take(j, 1)
	defer c.take(j, -1)
	seconds, err := strconv.Atoi(j.Name)
	if err != nil {
		return engine.Outcome{}, err
	}
	select {
	case <-time.After(time.Duration(seconds) * time.Second):
		return engine.Outcome{Exit: seconds}, nil
	case <-ctx.Done():
		return engine.Outcome{}, ctx.Err()
	}
}

func (c *clock) take(j engine.Job, sign int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cores += sign * j.Limits.CPU
	c.memory += int64(sign) * j.Limits.Memory
	c.top = max(c.top, c.cores)
	c.over = c.over || c.cores > c.budget.Cores || c.memory > c.budget.Memory
}

func job(name string, cpu int, memory int64) engine.Job {
	return engine.Job{Name: name, Limits: sandbox.Limits{CPU: cpu, Memory: memory}}
}

func TestRunKeepsOrderAndBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := budget{Cores: 3, Memory: 100}
		c := &clock{budget: b}
		jobs := []engine.Job{job("9", 1, 10), job("1", 2, 10), job("5", 1, 60), job("2", 1, 60), job("3", 3, 100), job("4", 1, 1)}
		var mu sync.Mutex
		ended := 0
		out := run(context.Background(), c, jobs, b, func(_ int, end bool) {
			mu.Lock()
			defer mu.Unlock()
			if end {
				ended++
			}
		})
		for i, r := range out {
			if r.Err != nil || strconv.Itoa(r.Outcome.Exit) != jobs[i].Name {
				t.Errorf("job %d: got %+v, want the outcome of %q", i, r, jobs[i].Name)
			}
		}
		if c.over {
			t.Error("jobs ran together that exceed the budget")
		}
		if c.top != 3 {
			t.Errorf("at most %d cores were in use, want all 3", c.top)
		}
		if ended != len(jobs) {
			t.Errorf("%d ends were told, want %d", ended, len(jobs))
		}
	})
}

func TestRunGivesAJobTooBigForTheBudgetTheWholeOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := run(context.Background(), &clock{budget: budget{8, 1000}}, []engine.Job{job("1", 8, 1000), job("1", 1, 1)}, budget{2, 100}, func(int, bool) {})
		for _, r := range out {
			if r.Err != nil {
				t.Error(r.Err)
			}
		}
	})
}

func TestNobodysFailureCancelsAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := budget{Cores: 4, Memory: 100}
		out := run(context.Background(), &clock{budget: b}, []engine.Job{job("panics", 1, 1), job("2", 1, 1), job("fails", 1, 1), job("1", 1, 1)}, b, func(int, bool) {})
		if !errors.As(out[0].Err, new(*panicError)) {
			t.Errorf("a panic came back as %v", out[0].Err)
		}
		if out[2].Err == nil {
			t.Error("a failed engine came back without an error")
		}
		if out[1].Outcome.Exit != 2 || out[3].Outcome.Exit != 1 {
			t.Errorf("the others did not end as they should: %+v %+v", out[1], out[3])
		}
	})
}

func TestRunEndsWhenCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		b := budget{Cores: 1, Memory: 100}
		for i, r := range run(ctx, &clock{budget: b}, []engine.Job{job("60", 1, 1), job("60", 1, 1)}, b, func(int, bool) {}) {
			if !errors.Is(r.Err, context.DeadlineExceeded) {
				t.Errorf("job %d: %v, want the context's error", i, r.Err)
			}
		}
	})
}
