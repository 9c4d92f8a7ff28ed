package seccomp

import (
	"bytes"
	"encoding/binary"
	"os"
	"slices"
	"testing"

	"github.com/elastic/go-seccomp-bpf/arch"
)

// run evaluates a filter as the kernel does, net/core/filter.c, over struct seccomp_data.
func run(t *testing.T, p []Instruction, audit uint32, nr uint32, args [6]uint64) uint32 {
	t.Helper()
	var data [64]byte
	binary.LittleEndian.PutUint32(data[0:], nr)
	binary.LittleEndian.PutUint32(data[4:], audit)
	for i, a := range args {
		binary.LittleEndian.PutUint64(data[16+8*i:], a)
	}
	var acc uint32
	for pc := 0; pc < len(p); pc++ {
		i := p[pc]
		branch := func(yes bool) {
			if yes {
				pc += int(i.Jt)
			} else {
				pc += int(i.Jf)
			}
		}
		switch i.Code {
		case load:
			acc = binary.LittleEndian.Uint32(data[i.K:])
		case and:
			acc &= i.K
		case jump:
			pc += int(i.K)
		case jumpEq:
			branch(acc == i.K)
		case jumpGe:
			branch(acc >= i.K)
		case ret:
			return i.K
		default:
			t.Fatalf("instruction %d has code %#x", pc, i.Code)
		}
	}
	t.Fatal("the filter ends without a return")
	return 0
}

var arches = map[string]*arch.Info{"amd64": arch.X86_64, "arm64": arch.AARCH64}

func compiled(t *testing.T, goarch string) []Instruction {
	t.Helper()
	p, err := Compile(goarch)
	if err != nil {
		t.Fatal(err)
	}
	if len(p) > 4096 {
		t.Fatalf("%d instructions are more than BPF_MAXINSNS", len(p))
	}
	return p
}

func TestEveryKnownCallIsDecidedOnce(t *testing.T) {
	times := map[string]int{}
	for _, names := range [][]string{allowed, refused[eperm], refused[enosys], gone} {
		for _, n := range names {
			times[n]++
		}
	}
	for _, c := range conditional {
		times[c.name]++
	}
	known := map[string]bool{}
	for _, table := range arches {
		for n := range table.SyscallNames {
			known[n] = true
			if times[n] != 1 {
				t.Errorf("%s is decided %d times", n, times[n])
			}
		}
	}
	for n := range times {
		if !known[n] {
			t.Errorf("%s is no system call", n)
		}
	}
}

func TestFilterDoesWhatTheRulesSay(t *testing.T) {
	for goarch, table := range arches {
		p := compiled(t, goarch)
		for name, nr := range table.SyscallNames {
			if slices.ContainsFunc(conditional, func(c condition) bool { return c.name == name }) {
				continue
			}
			want := uint32(retErrno | enosys)
			switch {
			case slices.Contains(allowed, name):
				want = retAllow
			case slices.Contains(refused[eperm], name):
				want = retErrno | eperm
			}
			for _, args := range [][6]uint64{{}, {^uint64(0), ^uint64(0), ^uint64(0)}, {afUnix, 1}} {
				if got := run(t, p, uint32(table.ID), uint32(nr), args); got != want {
					t.Errorf("%s %s(%v): got %#x, want %#x", goarch, name, args, got, want)
				}
			}
		}
		for _, nr := range []uint32{468, 600, 100000, x32Bit, x32Bit | 1, 0xffffffff} {
			if got := run(t, p, uint32(table.ID), nr, [6]uint64{}); got != retErrno|enosys {
				t.Errorf("%s %d: got %#x", goarch, nr, got)
			}
		}
		for _, foreign := range []*arch.Info{arch.I386, arch.ARM} {
			if got := run(t, p, uint32(foreign.ID), 1, [6]uint64{}); got != retErrno|enosys {
				t.Errorf("%s: a call of %s: got %#x", goarch, foreign.Name, got)
			}
		}
	}
}

func TestFilterReadsArguments(t *testing.T) {
	const high = 0xdeadbeef_00000000 // the kernel takes only the low half of these arguments
	for name, x := range map[string]struct {
		call string
		args [6]uint64
		want uint32
	}{
		"a tcp socket":                        {"socket", [6]uint64{2, 1, 0}, retAllow},
		"a tcp socket with garbage high bits": {"socket", [6]uint64{high | 2, 1, high | 6}, retAllow},
		"a udp socket over ipv6":              {"socket", [6]uint64{10, 2, 17}, retAllow},
		"an sctp socket":                      {"socket", [6]uint64{2, 1, 132}, retErrno | eacces},
		"a raw socket":                        {"socket", [6]uint64{2, 3, 255}, retErrno | eacces},
		"a unix socket":                       {"socket", [6]uint64{1, 1, 0}, retErrno | eacces},
		"a unix socket with high bits":        {"socket", [6]uint64{high | 1, 1, 0}, retErrno | eacces},
		"family 0":                            {"socket", [6]uint64{0, 1, 0}, retErrno | eacces},
		"netlink":                             {"socket", [6]uint64{16, 3, 0}, retErrno | eacces},
		"packet":                              {"socket", [6]uint64{17, 3, 0}, retErrno | eacces},
		"alg":                                 {"socket", [6]uint64{38, 5, 0}, retErrno | eacces},
		"vsock":                               {"socket", [6]uint64{40, 1, 0}, retErrno | eacces},
		"a unix socket pair":                  {"socketpair", [6]uint64{1, 1, 0}, retAllow},
		"a tipc socket pair":                  {"socketpair", [6]uint64{30, 1, 0}, retErrno | eacces},
		"a thread":                            {"clone", [6]uint64{0x3d0f00}, retAllow},
		"a fork":                              {"clone", [6]uint64{17}, retAllow},
		"a user namespace":                    {"clone", [6]uint64{0x10000000 | 17}, retErrno | eperm},
		"a mount namespace":                   {"clone", [6]uint64{0x00020000}, retErrno | eperm},
		"a time namespace is a signal number": {"clone", [6]uint64{0x80}, retAllow},
	} {
		t.Run(name, func(t *testing.T) {
			for goarch, table := range arches {
				p := compiled(t, goarch)
				if got := run(t, p, uint32(table.ID), uint32(table.SyscallNames[x.call]), x.args); got != x.want {
					t.Errorf("%s: got %#x, want %#x", goarch, got, x.want)
				}
			}
		})
	}
}

func TestGeneratedFiltersAreUpToDate(t *testing.T) {
	for goarch := range arches {
		want, err := Source(goarch)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile("../init/filter_linux_" + goarch + ".go")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("filter_linux_%s.go is stale: run go generate", goarch)
		}
	}
}

func TestNoFilterForAnUnknownArchitecture(t *testing.T) {
	if _, err := Compile("riscv64"); err == nil {
		t.Fatal("compiled a filter without a table")
	}
}
