package orchestrator

import (
	"encoding/json"
	"io"
	"time"

	"github.com/scangate/scangate/orchestrator/engine/sandbox"
	"github.com/scangate/scangate/scanners"
)

// Record is the run record: all that varies from run to run and is kept out of the result.
type Record struct {
	Schema   string            `json:"schema"` // scangate.record/v1
	Engine   string            `json:"engine"`
	Started  time.Time         `json:"started"`
	Stages   []Stage           `json:"stages"`
	Jobs     []JobRecord       `json:"jobs"`
	Details  map[string]string `json:"details"`  // scanner/code -> what was seen
	Canaries []string          `json:"canaries"` // scanners whose canary was proved by an earlier run

	lapped time.Time
}

// Stage is how long a stage took.
type Stage struct {
	Name string        `json:"name"`
	Took time.Duration `json:"tookNanoseconds"`
}

// JobRecord is one job's measured cost and the isolation it really had.
type JobRecord struct {
	Name   string        `json:"name"`
	Wall   time.Duration `json:"wallNanoseconds"`
	CPU    time.Duration `json:"cpuNanoseconds"`
	MaxRSS int64         `json:"maxRSSBytes"`
	Exit   int           `json:"exit"`
	Fault  string        `json:"fault"`
	Facts  sandbox.Facts `json:"facts"`
}

func newRecord(engine string) Record {
	now := time.Now()
	return Record{Schema: "scangate.record/v1", Engine: engine, Started: now.UTC(), Jobs: []JobRecord{}, Details: map[string]string{}, Canaries: []string{}, lapped: now}
}

func (r *Record) lap(name string) {
	now := time.Now()
	r.Stages = append(r.Stages, Stage{name, now.Sub(r.lapped)})
	r.lapped = now
}

func (r *Record) add(results []scanners.Result, l *lowered, outcomes []ran) {
	for i, o := range outcomes {
		j := JobRecord{Name: l.jobs[i].Name, Wall: o.Outcome.Usage.Wall, CPU: o.Outcome.Usage.CPU, MaxRSS: o.Outcome.Usage.MaxRSS,
			Exit: o.Outcome.Exit, Fault: string(o.Outcome.Fault), Facts: o.Outcome.Facts}
		r.Jobs = append(r.Jobs, j)
	}
	for i, res := range results {
		for _, why := range res.Reasons {
			if why.Detail != "" {
				r.Details[res.Scanner+"/"+why.Code] = why.Detail
			}
		}
		if l.proved[i] {
			r.Canaries = append(r.Canaries, res.Scanner)
		}
	}
}

// JSON writes the record.
func (r Record) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
