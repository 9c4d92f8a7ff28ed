package sandbox

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestSpecComesBackAndLeavesTheLifelineUnread(t *testing.T) {
	want := Spec{Command: []string{"bandit", "-r", "ü"}, Env: []string{"A=b"}, Dir: "/workspace", UID: UID, GID: GID,
		Limits: Limits{CPU: 2, Timeout: time.Minute, Stdout: 1 << 20}, Rlimits: true}
	var b bytes.Buffer
	if err := WriteSpec(&b, want); err != nil {
		t.Fatal(err)
	}
	b.WriteString("rest")
	got, err := ReadSpec(&b)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, %v", got, err)
	}
	if b.String() != "rest" {
		t.Fatalf("left %q unread", b.String())
	}
}

func stream(t *testing.T, out, errs string) []byte {
	t.Helper()
	var b bytes.Buffer
	s := NewStream(&b)
	for _, err := range []error{s.Facts(Facts{UID: UID}), s.Stdout([]byte(out)), s.Stderr([]byte(errs)), s.Close(Trailer{Exit: 3})} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func TestCollectGivesWhatWasSent(t *testing.T) {
	out := strings.Repeat("x", 3*maxFrame+5)
	c, err := Collect(bytes.NewReader(stream(t, out, "oops")), Limits{Stdout: 1 << 30, Stderr: 4})
	if err != nil {
		t.Fatal(err)
	}
	if string(c.Stdout) != out || string(c.Stderr) != "oops" || c.Facts.UID != UID || c.Trailer.Exit != 3 {
		t.Fatalf("got %d bytes, %q, %+v, %+v", len(c.Stdout), c.Stderr, c.Facts, c.Trailer)
	}
}

func TestCollectRefuses(t *testing.T) {
	whole := stream(t, "report", "")
	frame := func(kind byte, body string) []byte {
		return append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body))), body...)
	}
	for name, x := range map[string]struct {
		in   []byte
		want string
	}{
		"nothing at all":                   {nil, "without its trailer"},
		"output without a trailer":         {frame(frameStdout, "report"), "without its trailer"},
		"a byte of output that changed":    {bytes.Replace(whole, []byte("report"), []byte("rEport"), 1), "digest"},
		"a frame that is missing":          {bytes.Replace(whole, frame(frameStdout, "report"), nil, 1), "trailer says 6"},
		"a frame cut inside":               {whole[:len(whole)-1], "unexpected EOF"},
		"a header cut inside":              {whole[:3], "unexpected EOF"},
		"bytes after the trailer":          {append(bytes.Clone(whole), frame(frameStdout, "")...), "after the trailer"},
		"a frame of an unknown kind":       {frame(9, "x"), "unknown kind"},
		"a frame too long":                 {[]byte{frameStdout, 0xff, 0, 0, 0}, "more than"},
		"stdout over its limit":            {stream(t, "0123456789", ""), "limit of 6"},
		"stderr over its limit":            {stream(t, "", "0123456789"), "limit of 6"},
		"facts twice":                      {append(frame(frameFacts, "{}"), frame(frameFacts, "{}")...), "twice"},
		"a trailer with an unknown member": {frame(frameTrailer, `{"exitt":0}`), "unknown field"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Collect(bytes.NewReader(x.in), Limits{Stdout: 6, Stderr: 6})
			if err == nil || !strings.Contains(err.Error(), x.want) {
				t.Fatalf("got %v, want %q", err, x.want)
			}
		})
	}
}

func FuzzCollect(f *testing.F) {
	var b bytes.Buffer
	s := NewStream(&b)
	_ = s.Stdout([]byte("report"))
	_ = s.Close(Trailer{})
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, in []byte) {
		l := Limits{Stdout: 64, Stderr: 64}
		c, err := Collect(bytes.NewReader(in), l)
		if len(c.Stdout) > 64 || len(c.Stderr) > 64 {
			t.Fatal("more than the limits")
		}
		if err == nil && (c.Trailer == nil || c.Trailer.StdoutBytes != int64(len(c.Stdout))) {
			t.Fatalf("took %q for whole", in)
		}
	})
}

func FuzzReadSpec(f *testing.F) {
	var b bytes.Buffer
	_ = WriteSpec(&b, Spec{Command: []string{"a"}})
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, in []byte) {
		s, err := ReadSpec(bytes.NewReader(in))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := WriteSpec(&b, s); err != nil {
			t.Fatal(err)
		}
		if again, err := ReadSpec(&b); err != nil || !reflect.DeepEqual(again, s) {
			t.Fatalf("%+v became %+v, %v", s, again, err)
		}
	})
}

func TestWeaker(t *testing.T) {
	strong := func() Facts {
		return Facts{UID: UID, GID: GID, NoNewPrivs: true, Seccomp: 2, Caps: "0", Interfaces: []string{"lo"}, Writable: []string{"/dev/shm", "/tmp"}}
	}
	for name, x := range map[string]struct {
		change func(*Facts)
		r      Require
		want   int
	}{
		"as strong as asked for":                      {func(*Facts) {}, Require{}, 0},
		"cgroups there and a must":                    {func(f *Facts) { f.Cgroups = true }, Require{Cgroups: true}, 0},
		"cgroups a must but not there":                {func(*Facts) {}, Require{Cgroups: true}, 1},
		"its own group as a supplementary one":        {func(f *Facts) { f.Groups = []int{GID} }, Require{}, 0},
		"another group":                               {func(f *Facts) { f.Groups = []int{0} }, Require{}, 1},
		"unmapped groups of a rootless caller":        {func(f *Facts) { f.Groups, f.UserNamespace = []int{overflowID}, true }, Require{}, 0},
		"group nogroup of the host":                   {func(f *Facts) { f.Groups = []int{overflowID} }, Require{}, 1},
		"root":                                        {func(f *Facts) { f.UID = 0 }, Require{}, 1},
		"no_new_privs off":                            {func(f *Facts) { f.NoNewPrivs = false }, Require{}, 1},
		"no filter":                                   {func(f *Facts) { f.Seccomp = 0 }, Require{}, 1},
		"another filter than ours":                    {func(f *Facts) { f.UnixSocket = true }, Require{}, 1},
		"a capability":                                {func(f *Facts) { f.Caps = "400" }, Require{}, 1},
		"a writable root":                             {func(f *Facts) { f.Writable = []string{"/"} }, Require{}, 1},
		"a network":                                   {func(f *Facts) { f.Interfaces = []string{"eth0", "lo"} }, Require{}, 1},
		"facts of an init that said nothing about it": {func(f *Facts) { *f = Facts{} }, Require{}, 5},
	} {
		t.Run(name, func(t *testing.T) {
			f := strong()
			x.change(&f)
			if got := Weaker(f, x.r); len(got) != x.want {
				t.Fatalf("got %q, want %d", got, x.want)
			}
		})
	}
}
