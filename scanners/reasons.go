package scanners

// Code names a Reason. It is a contract: scripts and agents branch on it.
type Code = string

// What Judge itself can say.
const (
	UnlistedExit     Code = "unlisted-exit"
	UnreadableReport Code = "unreadable-report"
	ExitMismatch     Code = "exit-mismatch"
	CanaryMissing    Code = "canary-missing"
	FileNotRead      Code = "file-not-read"
	CountMismatch    Code = "count-mismatch"
	WeakEvidence     Code = "weak-evidence"
	ForeignPath      Code = "foreign-path"
)

// What those who run a scanner can say.
const (
	Timeout     Code = "timeout"
	OutOfMemory Code = "out-of-memory"
	OutputLimit Code = "output-limit"
	Killed      Code = "killed"
	NotStarted  Code = "not-started"
	Isolation   Code = "isolation"
	StreamLost  Code = "stream-lost"
	EngineFault Code = "engine"
	Panic       Code = "panic"
	NoImage     Code = "image"
	NoData      Code = "data"
	NoModules   Code = "go-modules"
)

// What a plan can say before anything runs.
const (
	NoInput     Code = "no-input"
	NotLocked   Code = "not-locked"
	NothingRead Code = "nothing-read"
)

var messages = map[Code]string{
	UnlistedExit:     "the scanner ended with a status that its adapter does not know",
	UnreadableReport: "the scanner's report could not be read",
	ExitMismatch:     "the scanner's report and its exit status contradict each other",
	CanaryMissing:    "the scanner did not report its canary, a known-bad file put there for it",
	FileNotRead:      "the scanner could not read every file in its scope",
	CountMismatch:    "the scanner read another number of files than it had to",
	WeakEvidence:     "the scanner gave too little evidence that it looked",
	ForeignPath:      "the scanner reported a file that it was not given",

	Timeout:     "the scanner did not end in time",
	OutOfMemory: "the scanner ran out of memory",
	OutputLimit: "the scanner wrote more output than it may",
	Killed:      "the scanner was ended by a signal",
	NotStarted:  "the scanner's program could not be started",
	Isolation:   "the scanner's sandbox was weaker than required",
	StreamLost:  "the scanner's output was cut or changed on its way",
	EngineFault: "the engine could not run the scanner",
	Panic:       "the scanner's adapter failed",
	NoInput:     "no file is in the scanner's scope",
	NotLocked:   "the lock has no image of the scanner for this platform",
	NothingRead: "files are in the scanner's scope and it can read none of them",

	NoImage:   "the scanner's image is not there with its locked digest",
	NoData:    "the scanner's data is not there with its locked digest",
	NoModules: "modules that go.sum names are not in this machine's module cache: run \"go mod download\"",
}

// Because makes the Reason of a code. A code without a message is a mistake of the program's and panics.
func Because(code Code, detail string) Reason {
	m, ok := messages[code]
	if !ok {
		panic("scanners: no message for reason " + code)
	}
	return Reason{Code: code, Message: m, Detail: detail}
}

// NoAnswer is the Result of a scanner that did not come to a report.
func NoAnswer(s Scanner, code Code, detail string) Result {
	return Result{Scanner: s.Name, Version: s.Version, Status: Broken, Reasons: []Reason{Because(code, detail)}}
}
