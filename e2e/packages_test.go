//go:build e2e && linux

package e2e

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// client runs a registry's ordinary client, with the user's own settings for mirrors and proxies.
func client(t *testing.T, dir string, env []string, name string, args ...string) []byte {
	t.Helper()
	r := runIn(t, dir, env, name, args...)
	if r.exit != 0 {
		t.Fatalf("%s %v: exit status %d\n%.4000s\n%.4000s", name, args, r.exit, r.stdout, r.stderr)
	}
	return r.stdout
}

// fromPip fetches a source distribution. pip holds it against its hash before it asks it for its metadata.
func fromPip(t *testing.T, p parcel, dir string) {
	t.Helper()
	tmp := t.TempDir()
	want := filepath.Join(tmp, "requirements.txt")
	line := fmt.Sprintf("%s==%s --hash=sha256:%s\n", p.name, p.version, p.sum)
	if err := os.WriteFile(want, []byte(line), 0o644); err != nil {
		t.Fatal(err)
	}
	client(t, tmp, []string{"PIP_DISABLE_PIP_VERSION_CHECK=1"}, "python3", "-m", "pip", "download", "--quiet", "--no-deps",
		"--no-binary", ":all:", "--require-hashes", "--requirement", want, "--dest", tmp)
	unpack(t, p, filepath.Join(tmp, p.name+"-"+p.version+".tar.gz"), dir)
}

func fromNpm(t *testing.T, p parcel, dir string) {
	t.Helper()
	tmp := t.TempDir()
	client(t, tmp, nil, "npm", "pack", "--silent", "--ignore-scripts", p.name+"@"+p.version)
	unpack(t, p, filepath.Join(tmp, p.name+"-"+p.version+".tgz"), dir)
}

// unpack lays out the one folder that is in the archive.
func unpack(t *testing.T, p parcel, file, dir string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%x", sha256.Sum256(text)); got != p.sum {
		t.Fatalf("%s %s: SHA-256 %s, want %s", p.name, p.version, got, p.sum)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	client(t, dir, nil, "tar", "-xzf", file, "--strip-components=1", "--no-same-owner")
}

// fromGo fetches a module, and the modules that its go.sum names. The hash is held here, theirs by the go command: no
// other party need be asked.
func fromGo(t *testing.T, p parcel, dir string) {
	t.Helper()
	env := []string{"GOFLAGS=-mod=mod", "GOSUMDB=off", "GOTOOLCHAIN=local", "GOWORK=off"}
	var got struct{ Dir, Sum string }
	if err := json.Unmarshal(client(t, t.TempDir(), env, "go", "mod", "download", "-json", p.name+"@"+p.version), &got); err != nil {
		t.Fatal(err)
	}
	if got.Sum != p.sum {
		t.Fatalf("%s %s: hash %s, want %s", p.name, p.version, got.Sum, p.sum)
	}
	if err := os.CopyFS(dir, os.DirFS(got.Dir)); err != nil {
		t.Fatal(err)
	}
	env[0] = "GOFLAGS=-mod=readonly"
	client(t, dir, env, "go", "mod", "download")
}
