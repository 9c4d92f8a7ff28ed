package gomod

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	modzip "golang.org/x/mod/zip"
)

type source struct{ name, text string }

// publish puts a module into a host's module cache and returns its two lines of go.sum.
func publish(t *testing.T, host, path, version string, files ...source) string {
	t.Helper()
	m := module.Version{Path: path, Version: version}
	escPath, err := module.EscapePath(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(host, "cache", "download", escPath, "@v")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	goMod := "module " + path + "\n"
	var b bytes.Buffer
	src := t.TempDir()
	for _, f := range append(files, source{"go.mod", goMod}) {
		write(t, filepath.Join(src, f.name), f.text)
	}
	if err := modzip.CreateFromDir(&b, m, src); err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(dir, version+".zip")
	write(t, archive, b.String())
	write(t, filepath.Join(dir, version+".mod"), goMod)
	h, err := dirhash.HashZip(archive, dirhash.Hash1)
	if err != nil {
		t.Fatal(err)
	}
	hm, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(goMod)), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s %s %s\n%s %s/go.mod %s\n", path, version, h, path, version, hm)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func tree(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(name string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			return nil
		}
		rel, _ := filepath.Rel(dir, name)
		i, err := e.Info()
		if err != nil {
			return err
		}
		out = append(out, rel+" "+i.Mode().String())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTheStoreIsAModuleCache(t *testing.T) {
	host, store := t.TempDir(), filepath.Join(t.TempDir(), "gomod")
	sums := publish(t, host, "scangate.invalid/Tool", "v1.2.3", source{"a/a.go", "package a\n"})
	data, missing, err := Collect(t.Context(), []byte(sums), host, store)
	if err != nil || len(missing) > 0 || data.Dir != store {
		t.Fatalf("Collect = %+v, %q, %v", data, missing, err)
	}
	want := []string{
		".scangate.lock -rw-r--r--",
		"cache/download/scangate.invalid/!tool/@v/v1.2.3.info -r--r--r--",
		"cache/download/scangate.invalid/!tool/@v/v1.2.3.mod -r--r--r--",
		"cache/download/scangate.invalid/!tool/@v/v1.2.3.ziphash -r--r--r--",
		"scangate.invalid/!tool@v1.2.3/a/a.go -r--r--r--",
		"scangate.invalid/!tool@v1.2.3/go.mod -r--r--r--",
	}
	if got := tree(t, store); !slices.Equal(got[1:], want[1:]) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	// The store has its own copy: what becomes of the host's does not matter.
	if err := os.RemoveAll(host); err != nil {
		t.Fatal(err)
	}
	again, missing, err := Collect(t.Context(), []byte(sums), host, store)
	if err != nil || len(missing) > 0 || again != data {
		t.Errorf("second Collect = %+v, %q, %v", again, missing, err)
	}
}

func TestTheDigestIsOfTheSortedLines(t *testing.T) {
	host := t.TempDir()
	a := publish(t, host, "scangate.invalid/a", "v1.0.0")
	b := publish(t, host, "scangate.invalid/b", "v1.0.0")
	digest := func(sums, host string) string {
		data, _, err := Collect(t.Context(), []byte(sums), host, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return data.Digest
	}
	want := digest(a+b, host)
	for name, got := range map[string]string{
		"in other order":           digest(b+a, host),
		"with lines twice":         digest(a+b+a, host),
		"with CRLF and blanks":     digest(strings.ReplaceAll(a+"\n"+b, "\n", " \r\n"), host),
		"where nothing is on disk": digest(a+b, t.TempDir()),
	} {
		if got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if digest(a, host) == want {
		t.Error("fewer lines have the same digest")
	}
}

func TestWhatTheHostLacksIsMissing(t *testing.T) {
	host, store := t.TempDir(), t.TempDir()
	sums := publish(t, host, "scangate.invalid/a", "v1.0.0") + publish(t, host, "scangate.invalid/b", "v1.0.0")
	versions := filepath.Join(host, "cache/download/scangate.invalid/b/@v")
	if err := os.Remove(versions + "/v1.0.0.zip"); err != nil {
		t.Fatal(err)
	}
	_, missing, err := Collect(t.Context(), []byte(sums), host, store)
	if err != nil || !slices.Equal(missing, []string{"scangate.invalid/b@v1.0.0"}) {
		t.Errorf("missing %q, %v", missing, err)
	}
	_, missing, err = Collect(t.Context(), []byte(sums), t.TempDir(), t.TempDir())
	want := []string{"scangate.invalid/a@v1.0.0", "scangate.invalid/a@v1.0.0/go.mod", "scangate.invalid/b@v1.0.0", "scangate.invalid/b@v1.0.0/go.mod"}
	if err != nil || !slices.Equal(missing, want) {
		t.Errorf("missing %q, %v", missing, err)
	}
	_, missing, err = Collect(t.Context(), []byte("golang.org/toolchain v0.0.1-go1.21.0.linux-amd64 h1:"+strings.Repeat("A", 43)+"=\n"), host, store)
	if err != nil || len(missing) > 0 {
		t.Errorf("toolchain: missing %q, %v", missing, err)
	}
}

func TestOtherContentIsAMismatch(t *testing.T) {
	other := "h1:" + strings.Repeat("A", 43) + "="
	for _, row := range []struct {
		name, module string
		bend         func(t *testing.T, host, store, sums string) string
	}{
		{"go.sum names another zip", "scangate.invalid/a@v1.0.0", func(t *testing.T, host, store, sums string) string {
			return "scangate.invalid/a v1.0.0 " + other
		}},
		{"go.sum names another go.mod", "scangate.invalid/a@v1.0.0/go.mod", func(t *testing.T, host, store, sums string) string {
			return "scangate.invalid/a v1.0.0/go.mod " + other
		}},
		{"the host's zip has one more file", "scangate.invalid/a@v1.0.0", func(t *testing.T, host, store, sums string) string {
			publish(t, host, "scangate.invalid/a", "v1.0.0", source{"evil.go", "package a\n"})
			return sums
		}},
		{"the host's go.mod differs", "scangate.invalid/a@v1.0.0/go.mod", func(t *testing.T, host, store, sums string) string {
			write(t, host+"/cache/download/scangate.invalid/a/@v/v1.0.0.mod", "module evil\n")
			return sums
		}},
		{"an earlier go.sum named another", "scangate.invalid/a@v1.0.0", func(t *testing.T, host, store, sums string) string {
			if _, _, err := Collect(t.Context(), []byte(sums), host, store); err != nil {
				t.Fatal(err)
			}
			return publish(t, host, "scangate.invalid/a", "v1.0.0", source{"b.go", "package a\n"})
		}},
		{"the store's go.mod was changed", "scangate.invalid/a@v1.0.0/go.mod", func(t *testing.T, host, store, sums string) string {
			write(t, store+"/cache/download/scangate.invalid/a/@v/v1.0.0.mod", "module evil\n")
			return sums
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			host, store := t.TempDir(), t.TempDir()
			sums := row.bend(t, host, store, publish(t, host, "scangate.invalid/a", "v1.0.0", source{"a.go", "package a\n"}))
			before := len(tree(t, store))
			_, _, err := Collect(t.Context(), []byte(sums), host, store)
			var m *MismatchError
			if !errors.As(err, &m) || m.Module != row.module || m.Want == m.Got || m.Want == "" || m.Got == "" {
				t.Fatalf("Collect = %v", err)
			}
			for _, file := range tree(t, store) {
				if strings.Contains(file, "evil") || before == 0 && !strings.HasSuffix(row.module, "/go.mod") && strings.Contains(file, ".ziphash") {
					t.Errorf("kept: %s", file)
				}
			}
		})
	}
}

func TestAZipThatIsNotAModulesIsRefused(t *testing.T) {
	for _, name := range []string{"../../evil", "scangate.invalid/a@v1.0.0/../../../evil", "/evil", "other@v1.0.0/evil"} {
		host, base := t.TempDir(), t.TempDir()
		store := filepath.Join(base, "deep", "store")
		sums := publish(t, host, "scangate.invalid/a", "v1.0.0")
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, "evil"); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(host, "cache/download/scangate.invalid/a/@v/v1.0.0.zip"), b.String())
		if _, _, err := Collect(t.Context(), []byte(sums), host, store); err == nil {
			t.Errorf("%s: accepted", name)
		}
		for _, file := range tree(t, base) {
			if strings.Contains(file, "evil") {
				t.Errorf("%s: left %s", name, file)
			}
		}
	}
}

func TestLinesThatAreNoneAreNamed(t *testing.T) {
	good := "h1:" + strings.Repeat("A", 43) + "="
	for text, want := range map[string]string{
		"a.b/c v1.0.0":                       "line 1: 2 fields",
		"\na.b/c v1.0.0 " + good + " more":   "line 2: 4 fields",
		"a.b/c v1.0.0 h2:" + good[3:]:        "h1:",
		"a.b/c v1.0.0 h1:AAAA":               "32 bytes",
		"a.b/../../c v1.0.0 " + good:         "malformed module path",
		"/etc v1.0.0 " + good:                "malformed module path",
		"a.b/c v1.0.0/../.. " + good:         "version",
		"a.b/c ../../v1.0.0 " + good:         "version",
		"a.b/c v1.0.0/go.mod/go.mod " + good: "version",
		"a.b/c latest " + good:               "version",
	} {
		if _, _, err := Collect(t.Context(), []byte(text), t.TempDir(), t.TempDir()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q in it", text, err, want)
		}
	}
}

func TestLeftoversAndCompanyDoNotMatter(t *testing.T) {
	host, store := t.TempDir(), t.TempDir()
	var sums string
	for i := range 20 {
		sums += publish(t, host, fmt.Sprintf("scangate.invalid/m%d", i), "v1.0.0", source{"a.go", "package a\n"})
	}
	// Of a killed process: a folder without its marker, and a temporary one.
	write(t, filepath.Join(store, "scangate.invalid/m3@v1.0.0/half.go"), "")
	write(t, filepath.Join(store, tempPrefix+"1/m/half.go"), "")
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if _, missing, err := Collect(t.Context(), []byte(sums), host, store); err != nil || len(missing) > 0 {
				t.Errorf("Collect: %q %v", missing, err)
			}
		})
	}
	wg.Wait()
	files := tree(t, store)
	if want := 20*5 + 1; len(files) != want {
		t.Errorf("%d files, want %d", len(files), want)
	}
	for _, file := range files {
		if strings.Contains(file, "half") || strings.Contains(file, tempPrefix) {
			t.Errorf("left behind: %s", file)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("a.b/C v1.0.0 h1:" + strings.Repeat("A", 43) + "=\na.b/C v1.0.0/go.mod h1:" + strings.Repeat("A", 43) + "=\n"))
	f.Fuzz(func(t *testing.T, sums []byte) {
		lines, digest, err := parse(sums)
		if err != nil {
			return
		}
		var text []string
		for _, l := range lines {
			if !filepath.IsLocal(l.escPath) || strings.ContainsAny(l.escVersion, `/\`) || l.escVersion == ".." {
				t.Errorf("accepted %+v", l)
			}
			version := l.Version.Version
			if l.mod {
				version += "/go.mod"
			}
			text = append(text, l.Path+" "+version+" "+l.hash)
		}
		if slices.ContainsFunc(text, func(l string) bool { return strings.HasPrefix(l, toolchain) }) || bytes.Contains(sums, []byte(toolchain)) {
			return
		}
		if _, again, err := parse([]byte(strings.Join(text, "\n"))); err != nil || again != digest {
			t.Errorf("written again: %s, %v, want %s", again, err, digest)
		}
	})
}
