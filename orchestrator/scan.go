// Package orchestrator is the product. Read Scan from top to bottom: a line and a room for each stage.
package orchestrator

import (
	"context"
	"time"

	"github.com/scangate/scangate/images"
	"github.com/scangate/scangate/orchestrator/cache"
	"github.com/scangate/scangate/orchestrator/engine"
	"github.com/scangate/scangate/orchestrator/gate"
	"github.com/scangate/scangate/orchestrator/plan"
	"github.com/scangate/scangate/orchestrator/report"
	"github.com/scangate/scangate/orchestrator/workspace"
	"github.com/scangate/scangate/pkg/finding"
	"github.com/scangate/scangate/pkg/policy"
	"github.com/scangate/scangate/scanners"
)

// Request is what is asked: all that the result depends on.
type Request struct {
	Dir        string // absolute
	Scanners   []scanners.Scanner
	Names      []string // of every scanner in the catalogue
	Restricted []string // names given with --scanner, sorted; nil: the whole catalogue
	Policy     *policy.Policy
	Lock       images.Lock
	Platform   string
	AsOf       time.Time
	Jobs       int // cores that all jobs may use together; the result does not depend on it
}

// Tools is what a scan works with: none of it may change the result.
type Tools struct {
	Engine engine.Engine
	Images interface {
		// Ensure makes sure that the engine can run from exactly this image.
		Ensure(ctx context.Context, image engine.Image) error
	}
	Cache      *cache.Cache
	Runs       string // folder for snapshots and views
	GoModules  string // store of verified Go modules
	GoModCache string // the host's Go module cache
	Memory     int64  // bytes that all jobs may use together
	Watch      func(Event)
}

// Event tells a watcher how far a scan is. Only for eyes.
type Event struct {
	Stage   string // image, scan or clean-up
	Scanner string
	Done    bool // that scanner's last job has ended
	Total   int  // scanners with jobs
	Detail  string
}

// Scan takes a workspace to a report. An error means that the scan could not start or was interrupted; everything that
// went wrong with one scanner is in the report.
func Scan(ctx context.Context, r Request, t Tools) (report.Report, Record, error) {
	rec := newRecord(t.Engine.Name())
	snap, err := workspace.Take(ctx, r.Dir, r.Snapshot(t.Runs))
	if err != nil {
		return report.Report{}, rec, err
	}
	defer func() {
		// The result stands; the next run's sweep removes what is left.
		if err := snap.Close(); err != nil {
			t.Watch(Event{Stage: "clean-up", Detail: err.Error()})
		}
	}()
	rec.lap("snapshot")

	p, err := Plan(r, snap)
	if err != nil {
		return report.Report{}, rec, err
	}
	rec.lap("plan")

	low, err := lower(ctx, p, snap, r, t)
	if err != nil {
		return report.Report{}, rec, err
	}
	rec.lap("prepare")

	ran := run(ctx, t.Engine, low.jobs, budget{Cores: r.Jobs, Memory: t.Memory}, low.watch(t.Watch))
	if err := ctx.Err(); err != nil {
		return report.Report{}, rec, err
	}
	rec.lap("scan")

	results := read(p, low, ran, t.Cache)
	for _, res := range results {
		finding.Assign(res.Findings, snap.Line)
	}
	decision := gate.Decide(gate.Input{Results: results, Policy: r.Policy, AsOf: r.AsOf, LeftOut: unlooked(snap),
		Restricted: r.Restricted != nil, Names: r.Names})
	rec.lap("decide")
	rec.add(results, low, ran)

	lock, err := images.EncodeLock(r.Lock)
	if err != nil {
		return report.Report{}, rec, err
	}
	rep := report.Report{
		Inputs: report.Inputs{Snapshot: snap.Digest, Policy: r.Policy.Digest(), Lock: plan.Digest(lock), Suppressions: r.Policy.SuppressionsDigest(),
			Platform: r.Platform, AsOf: r.AsOf.Format(time.DateOnly), Restricted: r.Restricted},
		Decision: decision, Files: filesInScope(p), Homes: map[string]string{},
	}
	for _, l := range snap.LeftOut {
		rep.LeftOut = append(rep.LeftOut, report.LeftOut{Path: l.Path, Reason: string(l.Reason)})
	}
	for _, s := range r.Scanners {
		rep.Homes[s.Name] = s.Home
	}
	return rep, rec, nil
}

// unlooked is what was left out that might have been in some scanner's scope. The rest has no content of its own.
func unlooked(s *workspace.Snapshot) []gate.Problem {
	var out []gate.Problem
	for _, l := range s.LeftOut {
		if l.Reason.Incomplete() {
			out = append(out, gate.Problem{Path: l.Path, Reason: string(l.Reason)})
		}
	}
	return out
}

// filesInScope counts the files that at least one scanner had to look at.
func filesInScope(p plan.Plan) int {
	seen := map[string]bool{}
	for _, s := range p.Scans {
		for _, e := range s.View.Entries {
			if e.Role == workspace.Target {
				seen[e.Source] = true
			}
		}
	}
	return len(seen)
}

// Snapshot says how to take the workspace, into which folder.
func (r Request) Snapshot(runs string) workspace.Options {
	return workspace.Options{Store: runs, Jobs: r.Jobs, MaxFiles: r.Policy.Limits.Files, MaxFileBytes: r.Policy.Limits.FileBytes}
}

// Plan shows what Scan would run.
func Plan(r Request, snap *workspace.Snapshot) (plan.Plan, error) {
	return plan.Make(plan.Request{Scanners: enabled(r), Lock: r.Lock, Policy: r.Policy, Platform: r.Platform, AsOf: r.AsOf}, snap)
}

func enabled(r Request) []scanners.Scanner {
	var on []scanners.Scanner
	for _, s := range r.Scanners {
		if r.Policy.Scanner(s.Name).Enabled {
			on = append(on, s)
		}
	}
	return on
}
