package assemble

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// keep puts content into a fetch store, as if it had been fetched, and returns its hash.
func keep(t *testing.T, cache string, content []byte) string {
	t.Helper()
	sum := sha256.Sum256(content)
	name := hex.EncodeToString(sum[:])
	if err := os.MkdirAll(filepath.Join(cache, "sha256"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(cache, "sha256", name), content, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

type member struct {
	name string
	mode os.FileMode
	text string
}

func wheel(t *testing.T, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	zw := zip.NewWriter(&b)
	for _, m := range members {
		h := &zip.FileHeader{Name: m.name}
		h.SetMode(m.mode)
		w, err := zw.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, m.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func toolWheel(t *testing.T) []byte {
	return wheel(t,
		member{"tool/__init__.py", 0o644, "import os\n"},
		member{"tool/run.sh", 0o755, "#!/bin/sh\n"},
		member{"tool-1.0.0.data/scripts/tool", 0o644, "program"},
		member{"tool-1.0.0.data/platlib/tool/ext.so", 0o777 | os.ModeSetuid, "elf"},
		member{"tool-1.0.0.dist-info/METADATA", 0o644, "Name: tool"},
		member{"tool-1.0.0.dist-info/RECORD", 0o644, "record"},
	)
}

func recipe(steps ...Step) Recipe {
	return Recipe{Name: "tool", Version: "1.0.0", Licence: "MIT", Platforms: map[string][]Step{"linux/amd64": steps}}
}

// buildLines makes the image and reads its one layer back: a line for each entry.
func buildLines(t *testing.T, cache string, r Recipe) (v1.Image, []string, error) {
	t.Helper()
	img, err := Build(context.Background(), r, Options{Platform: "linux/amd64", Cache: cache, Scratch: t.TempDir()})
	if err != nil {
		return nil, nil, err
	}
	layers, err := img.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	var lines []string
	for tr := tar.NewReader(content); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return img, lines, nil
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.ModTime.Unix() != 0 || len(h.PAXRecords) != 0 {
			t.Errorf("%s: %+v", h.Name, h)
		}
		text, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%o %s %s%s", h.Mode, h.Name, h.Linkname, text)))
	}
}

func TestBuildLaysOutAWheel(t *testing.T) {
	cache := t.TempDir()
	sum := keep(t, cache, toolWheel(t))
	file := "tool-1.0.0-py3-none-any.whl"
	_, lines, err := buildLines(t, cache, recipe(
		Step{Wheel: &Wheel{File: file, SHA256: sum, Extract: map[string]string{
			"tool-1.0.0.data/scripts/tool": "usr/bin/tool", "tool/": "opt/tool/",
		}}},
		Step{Wheel: &Wheel{File: file, SHA256: sum, Install: "usr/lib/site", Exclude: []string{"**/*.sh"}}},
		Step{Files: map[string]string{"etc/tool.conf": "quiet"}},
	))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"755 dev/", "755 etc/", "644 etc/tool.conf quiet",
		"755 opt/", "755 opt/tool/", "644 opt/tool/__init__.py import os", "755 opt/tool/run.sh #!/bin/sh",
		"755 proc/", "755 scangate/", "755 sys/", "1777 tmp/",
		"755 usr/", "755 usr/bin/", "755 usr/bin/tool program",
		"755 usr/lib/", "755 usr/lib/site/",
		"755 usr/lib/site/tool/", "755 usr/lib/site/tool-1.0.0.dist-info/", "644 usr/lib/site/tool-1.0.0.dist-info/METADATA Name: tool",
		"644 usr/lib/site/tool/__init__.py import os", "755 usr/lib/site/tool/ext.so elf",
		"755 workspace/",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

// TestBuildIsTheSameEverywhere holds the digest of a fixed recipe: it may change only with a reason to rebuild every
// image, for it says that every lock is void.
func TestBuildIsTheSameEverywhere(t *testing.T) {
	r := recipe(Step{Files: map[string]string{"etc/b": "b", "etc/a": "a", "usr/bin/tool": "x"}})
	const want = "sha256:45261a1163a95e0a3325987f65136055e9cb359bb5afd7565caf348176916c71"
	for _, zone := range []string{"UTC", "Asia/Tokyo"} {
		t.Setenv("TZ", zone)
		old := syscall.Umask(0o077)
		img, _, err := buildLines(t, t.TempDir(), r)
		syscall.Umask(old)
		if err != nil {
			t.Fatal(err)
		}
		digest, err := img.Digest()
		if err != nil {
			t.Fatal(err)
		}
		if digest.String() != want {
			t.Errorf("manifest %s, want %s", digest, want)
		}
		m, err := img.Manifest()
		if err != nil {
			t.Fatal(err)
		}
		if m.MediaType != types.OCIManifestSchema1 || m.Config.MediaType != types.OCIConfigJSON || m.Layers[0].MediaType != types.OCIUncompressedLayer {
			t.Errorf("media types %s, %s, %s", m.MediaType, m.Config.MediaType, m.Layers[0].MediaType)
		}
	}
}

func TestBuildRefuses(t *testing.T) {
	cache := t.TempDir()
	file := "tool-1.0.0-py3-none-any.whl"
	tool := keep(t, cache, toolWheel(t))
	prefix := keep(t, cache, wheel(t, member{"tool-1.0.0.data/data/share/x", 0o644, ""}))
	climbing := keep(t, cache, wheel(t, member{"../../etc/passwd", 0o644, ""}))
	text := keep(t, cache, []byte("no zip"))
	into := func(sum string) Step { return Step{Wheel: &Wheel{File: file, SHA256: sum, Install: "site"}} }
	rows := []struct {
		name  string
		steps []Step
		want  string
	}{
		{"a member that is not in the wheel", []Step{{Wheel: &Wheel{File: file, SHA256: tool,
			Extract: map[string]string{"tool/nothing": "usr/bin/x"}}}}, "no member tool/nothing"},
		{"the same file placed twice", []Step{into(tool), into(tool)}, "place site/tool/__init__.py: it is there already"},
		{"a file where a folder is", []Step{{Files: map[string]string{"tmp": ""}}}, "place tmp: it is there already"},
		{"a file below a file", []Step{{Files: map[string]string{"a": ""}}, {Files: map[string]string{"a/b": ""}}}, "place a: it is there and no folder"},
		{"a member for the prefix", []Step{into(prefix)}, "goes to the prefix"},
		{"a member that climbs", []Step{into(climbing)}, "is not a clean path below the root"},
		{"a wheel that is no zip", []Step{into(text)}, "not a valid zip file"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			_, _, err := buildLines(t, cache, recipe(r.steps...))
			if err == nil || !strings.Contains(err.Error(), r.want) {
				t.Errorf("got %v, want an error with %q", err, r.want)
			}
		})
	}
	_, err := Build(context.Background(), recipe(into(tool)), Options{Platform: "linux/arm64", Cache: cache, Scratch: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "no steps for linux/arm64") {
		t.Errorf("another platform: %v", err)
	}
}

func TestAKeptFileThatChangedIsRefused(t *testing.T) {
	cache := t.TempDir()
	sum := keep(t, cache, toolWheel(t))
	other := toolWheel(t)
	other[len(other)-1] ^= 1
	if err := os.WriteFile(filepath.Join(cache, "sha256", sum), other, 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := buildLines(t, cache, recipe(Step{Wheel: &Wheel{File: "tool-1.0.0-py3-none-any.whl", SHA256: sum, Install: "site"}}))
	var mismatch *HashError
	if !errors.As(err, &mismatch) || mismatch.Want != sum || mismatch.Got == sum {
		t.Errorf("got %v", err)
	}
}

func TestDebGlobsChooseAndKeepLinks(t *testing.T) {
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	for _, h := range []tar.Header{
		{Name: "./lib/", Typeflag: tar.TypeDir, Mode: 0o700},
		{Name: "./lib/x/libc.so.6", Typeflag: tar.TypeReg, Mode: 0o4755},
		{Name: "./lib/x/libc.so", Typeflag: tar.TypeSymlink, Linkname: "libc.so.6"},
		{Name: "./usr/share/doc/libc", Typeflag: tar.TypeReg, Mode: 0o644},
		{Name: "./usr/lib/device", Typeflag: tar.TypeChar},
	} {
		if err := tw.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	lay := func(d Deb) (*tree, error) {
		tr, err := newTree(filepath.Join(t.TempDir(), "tree"))
		if err != nil {
			t.Fatal(err)
		}
		return tr, (&builder{tree: tr}).layTar(bytes.NewReader(b.Bytes()), d)
	}
	tr, err := lay(Deb{Include: []string{"lib/**"}})
	if err != nil {
		t.Fatal(err)
	}
	if e := tr.entries["lib/x/libc.so.6"]; !e.exec || e.mode("") != 0o755 {
		t.Errorf("library: %+v", e)
	}
	if e := tr.entries["lib/x/libc.so"]; e.link != "libc.so.6" {
		t.Errorf("link: %+v", e)
	}
	if _, ok := tr.entries["usr/share/doc/libc"]; ok {
		t.Error("a file that no glob names was laid")
	}
	if _, err := lay(Deb{Include: []string{"nothing"}}); err == nil || !strings.Contains(err.Error(), "choose nothing") {
		t.Errorf("globs that match nothing: %v", err)
	}
	if _, err := lay(Deb{Exclude: []string{"usr/share/**"}}); err == nil || !strings.Contains(err.Error(), "neither file, folder nor symlink") {
		t.Errorf("a device: %v", err)
	}
}
