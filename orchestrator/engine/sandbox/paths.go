package sandbox

// Hostname is every container's.
const Hostname = "scangate"

// ShmSize is that of /dev/shm in bytes: Python's multiprocessing keeps its semaphores there.
const ShmSize = 64 << 20

// InitTasks are the init's own threads, which a pids cgroup counts with the job's.
const InitTasks = 16

// Sharing is for how many jobs at a time the tasks of one user are allowed, where neither a cgroup nor a user namespace
// counts a job's own.
const Sharing = 16

// NoFile is the limit of open files: the kernel's own default, INR_OPEN_MAX in linux/fs.h.
const NoFile = 4096

// MaskedPaths show nothing of the host's kernel and devices. The list is that of Docker 28 (moby/profiles and
// moby/daemon/pkg/oci), with all of /sys in place of some of it: no scanner reads it.
func MaskedPaths() []string {
	return []string{
		"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
		"/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys",
	}
}

// ReadonlyPaths is Docker's list.
func ReadonlyPaths() []string {
	return []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
}
