package engine

import (
	"errors"
	"testing"

	"github.com/scangate/scangate/orchestrator/engine/sandbox"
)

func TestConclude(t *testing.T) {
	strong := &sandbox.Facts{UID: sandbox.UID, GID: sandbox.GID, NoNewPrivs: true, Seccomp: 2, Caps: "0", Interfaces: []string{"lo"}}
	weak := &sandbox.Facts{}
	ended := &sandbox.Trailer{Exit: 1}
	cut := errors.New("cut")
	for name, x := range map[string]struct {
		c    sandbox.Collected
		s    Seen
		r    sandbox.Require
		want Fault
	}{
		"an end by itself":                        {c: sandbox.Collected{Facts: strong, Trailer: ended}},
		"an end by itself in a weak sandbox":      {c: sandbox.Collected{Facts: weak, Trailer: ended}, want: Isolation},
		"no facts":                                {c: sandbox.Collected{Trailer: ended}, want: Isolation},
		"no facts since it never started":         {c: sandbox.Collected{Trailer: &sandbox.Trailer{Fault: "start"}}, want: Start},
		"no cgroup where it is a must":            {c: sandbox.Collected{Facts: strong, Trailer: ended}, r: sandbox.Require{Cgroups: true}, want: Isolation},
		"a cgroup where it is a must":             {c: sandbox.Collected{Facts: strong, Trailer: ended}, s: Seen{Cgroups: true}, r: sandbox.Require{Cgroups: true}},
		"an oom kill beats exit 0":                {c: sandbox.Collected{Facts: strong, Trailer: &sandbox.Trailer{}}, s: Seen{OOM: true}, want: Memory},
		"an oom kill explains a cut stream":       {c: sandbox.Collected{Facts: strong}, s: Seen{OOM: true, Stream: cut}, want: Memory},
		"a cut stream":                            {c: sandbox.Collected{Facts: strong}, s: Seen{Stream: cut}, want: Lost},
		"no trailer, though nobody noticed":       {c: sandbox.Collected{Facts: strong}, want: Lost},
		"the engine's deadline":                   {c: sandbox.Collected{Facts: strong}, s: Seen{Overdue: true, Stream: cut}, want: Timeout},
		"the init's deadline":                     {c: sandbox.Collected{Facts: strong, Trailer: &sandbox.Trailer{Exit: -1, Signal: 9, Fault: "timeout"}}, want: Timeout},
		"a signal":                                {c: sandbox.Collected{Facts: strong, Trailer: &sandbox.Trailer{Exit: -1, Signal: 11}}, want: Killed},
		"a fault that no init knows":              {c: sandbox.Collected{Facts: strong, Trailer: &sandbox.Trailer{Fault: "memory"}}, want: Lost},
		"a weak sandbox beats everything":         {c: sandbox.Collected{Facts: weak}, s: Seen{OOM: true, Stream: cut}, want: Isolation},
		"a fault of the init with a digest wrong": {c: sandbox.Collected{Facts: strong, Trailer: &sandbox.Trailer{Fault: "output"}}, s: Seen{Stream: cut}, want: Lost},
	} {
		t.Run(name, func(t *testing.T) {
			o := Conclude(Job{Require: x.r}, x.c, x.s)
			if o.Fault != x.want || (x.want != "") != (o.Detail != "") && x.want != Start && x.want != Timeout && x.want != Output {
				t.Fatalf("got %q (%s), want %q", o.Fault, o.Detail, x.want)
			}
		})
	}
}
