package enginetest

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/scangate/scangate/orchestrator/engine"
	"github.com/scangate/scangate/orchestrator/engine/sandbox"
)

type row struct {
	name  string
	act   []string
	job   func(*engine.Job)
	fault engine.Fault
	exit  int
	out   *string // nil: any
	check func(*testing.T, engine.Outcome)
}

func cases(s Subject, ws string) []row {
	is := func(s string) *string { return &s }
	command := func(c ...string) func(*engine.Job) { return func(j *engine.Job) { j.Command = c } }
	rows := []row{
		{name: "success is success", act: []string{"exit", "0"}, out: is("")},
		{name: "126 and 127 are the program's own", act: []string{"exit", "126"}, exit: 126},
		{name: "so is 255", act: []string{"exit", "255"}, exit: 255},
		{name: "a program is found in PATH", job: command("villain", "args", "x"), out: is(`["x"]`)},
		{name: "a program that is not there does not start", job: command("/nothing"), fault: engine.Start},
		{name: "nor one that is not in PATH", job: command("nothing"), fault: engine.Start},
		{name: "nor a file that is not executable", job: command("/text"), fault: engine.Start},
		{name: "nor one that is no program", job: command("/garbage"), fault: engine.Start},
		{name: "nor any in a folder that is not there", act: []string{"exit", "0"}, job: func(j *engine.Job) { j.Dir = "/nowhere" }, fault: engine.Start},
		{name: "output comes whole, up to its limit to the byte", act: []string{"say", "1048576", "262144"}, out: is(strings.Repeat("o", 1<<20)),
			check: func(t *testing.T, o engine.Outcome) {
				if string(o.Stderr) != strings.Repeat("e", 1<<18) {
					t.Fatalf("stderr has %d bytes", len(o.Stderr))
				}
			}},
		{name: "one byte more is a fault", act: []string{"say", "1048577", "0"}, fault: engine.Output, out: is(strings.Repeat("o", 1<<20))},
		{name: "an endless stdout is cut", act: []string{"flood", "stdout"}, fault: engine.Output},
		{name: "an endless stderr is cut", act: []string{"flood", "stderr"}, fault: engine.Output},
		{name: "a deadline ends what ignores signals", act: []string{"stubborn"}, job: short, fault: engine.Timeout},
		{name: "a deadline ends a whole tree", act: []string{"child", "stubborn"}, job: short, fault: engine.Timeout},
		{name: "a death by signal is no exit status", act: []string{"raise", "9"}, fault: engine.Killed},
		{name: "a daemon that holds the pipes is not waited for", act: []string{"daemon"}},
		{name: "a fork bomb is bounded", act: []string{"bomb", "1000"}, out: is("refused")},
		{name: "no signal ends PID 1", act: []string{"murder"}, out: is("done")},
		{name: "the environment is the job's and nothing else", act: []string{"env"}, out: is("PATH=/\nGOMAXPROCS=2")},
		{name: "it may be empty", act: []string{"env"}, job: func(j *engine.Job) { j.Env = nil }, out: is("")},
		{name: "arguments arrive as they are", act: []string{"args", "a b", "", "ü$(x)\n"}, out: is(`["a b" "" "ü$(x)\n"]`)},
		{name: "the workspace is there", act: []string{"cat", "/workspace/sub/code", "open"},
			job: func(j *engine.Job) { j.Dir = "/workspace" }, out: is("code\nopen\n")},
		{name: "only scratch can be written", act: []string{"create", "/x", "/etc/x", "/workspace/x", "/workspace/open", "/workspace/sub/x",
			sandbox.InitPath, sandbox.InitDir + "/x", "/dev/x", "/proc/x", "/proc/sys/kernel/hostname", "/proc/1/mem", "/proc/1/fd/1",
			"/proc/sysrq-trigger", "/sys/x", "/tmp/x", "/dev/shm/x"}, out: is("/tmp/x\n/dev/shm/x\n")},
		{name: "mounts can be nested, read-only", act: []string{"create", "/workspace/sub/x", "/workspace/sub/sub/x", "/workspace/sub/code"},
			job: func(j *engine.Job) {
				j.Mounts = append(j.Mounts, engine.Mount{Source: ws, Target: "/workspace/sub"})
			}, out: is("")},
		{name: "scratch is bounded", act: []string{"fill", "/tmp/x", "8"}, out: is("full")},
		{name: "and so is the other", act: []string{"fill", "/dev/shm/x", "80"}, out: is("full")},
		{name: "the program gets three descriptors", act: []string{"fds"}, out: is("0 /dev/null\n1 pipe\n2 pipe\n")},
		{name: "no other process can be seen", act: []string{"ps"}, out: is(sandbox.InitPath + "\n" + Program + "\n")},
		{name: "the init cannot be read", act: []string{"cat", "/proc/1/environ"}, exit: 70, out: is("")},
		{name: "what looks like a trailer is output", act: []string{"args", "\x04\x01\x01\x01\x01{}"}, out: is(`["\x04\x01\x01\x01\x01{}"]`)},
		{name: "facts and usage are told", act: []string{"eat", "20"}, check: func(t *testing.T, o engine.Outcome) {
			f := o.Facts
			if f.UID != sandbox.UID || f.Hostname != sandbox.Hostname || f.Seccomp != 2 || f.Cgroups != s.Cgroups {
				t.Fatalf("got facts %+v", f)
			}
			if o.Usage.Wall <= 0 || o.Usage.CPU <= 0 || o.Usage.MaxRSS < 20<<20 {
				t.Fatalf("got usage %+v", o.Usage)
			}
		}},
		{name: "the sandbox is the golden one", job: command(sandbox.InitPath, "probe"), check: func(t *testing.T, o engine.Outcome) {
			if d := sandbox.DiffGolden(string(o.Stdout)); d != "" {
				t.Fatal(d)
			}
		}},
	}
	if s.Cgroups {
		rows = append(rows,
			row{name: "too much memory is a fault", act: []string{"eat", "1000"}, fault: engine.Memory},
			row{name: "also in a child, where the program ends well", act: []string{"child", "eat", "1000"}, fault: engine.Memory},
			row{name: "also in small pieces", act: []string{"fill", "/tmp/x", "1000"}, fault: engine.Memory,
				job: func(j *engine.Job) { j.Limits.Tmp = 2 << 30 }})
	} else {
		rows = append(rows,
			row{name: "too much memory ends the process", act: []string{"child", "eat", "1000"}, out: is("true")},
			row{name: "a cgroup that is a must is missed", act: []string{"exit", "0"}, fault: engine.Isolation,
				job: func(j *engine.Job) { j.Require.Cgroups = true }})
	}
	for _, n := range []int{0, 1, 3} {
		rows = append(rows, row{name: "exit status " + strconv.Itoa(n), act: []string{"exit", strconv.Itoa(n)}, exit: n})
	}
	return rows
}

func short(j *engine.Job) { j.Limits.Timeout = 500 * time.Millisecond }
