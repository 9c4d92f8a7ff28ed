package sandbox

import (
	"fmt"
	"slices"
	"strings"
)

// overflowID is how the kernel shows an id that the user namespace does not map, user_namespaces(7).
const overflowID = 65534

// scratch are the places where a job may write.
var scratch = []string{"/tmp", "/dev/shm", "/dev/mqueue"}

// Weaker says, one line each, what of the sandbox is weaker than asked for. None: it is as strong.
func Weaker(f Facts, r Require) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if f.UID != UID || f.GID != GID {
		say("the job runs as %d:%d, not %d:%d", f.UID, f.GID, UID, GID)
	}
	for _, g := range f.Groups {
		if g != GID && !(f.UserNamespace && g == overflowID) {
			say("the job is in group %d", g)
		}
	}
	if !f.NoNewPrivs {
		say("no_new_privs is off")
	}
	if f.Seccomp != 2 {
		say("seccomp is in mode %d, not 2 (filter)", f.Seccomp)
	}
	if f.UnixSocket {
		say("a unix socket can be made: the seccomp filter is not in force")
	}
	if f.Caps != "0" {
		say("the job has capabilities %s", f.Caps)
	}
	for _, w := range f.Writable {
		if !slices.Contains(scratch, w) {
			say("%s is writable", w)
		}
	}
	if strings.Join(f.Interfaces, " ") != "lo" {
		say("network interfaces are [%s], not [lo]", strings.Join(f.Interfaces, " "))
	}
	if r.Cgroups && !f.Cgroups {
		say("no cgroup holds the limits of the job")
	}
	return out
}
