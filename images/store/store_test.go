package store

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/scangate/scangate/images"
)

func put(t *testing.T, s *Store, r raw) images.Pin {
	t.Helper()
	pin, err := s.Put(t.Context(), r.image(t))
	if err != nil {
		t.Fatal(err)
	}
	return pin
}

func simple(t *testing.T) raw {
	return build(t, [][]byte{tarOf(t,
		dir("usr/"), entry{tar.Header{Name: "usr/tool", Mode: 0o4755, Uid: 5, ModTime: time.Unix(1234, 0)}, "#!"},
		sym("bin", "usr"), reg("etc/passwd", "root")), tarOf(t, reg("usr/more", "x"))}, nil)
}

func TestAnImageComesBackAsItWent(t *testing.T) {
	s, r := newStore(t), simple(t)
	pin := put(t, s, r)
	want := images.Pin{Manifest: digestOf(r.manifest), Config: digestOf(r.config), Size: int64(len(r.manifest) + len(r.config))}
	for _, b := range r.blobs {
		want.Size += int64(len(b))
	}
	if pin != want {
		t.Errorf("Put = %+v, want %+v", pin, want)
	}
	if ok, err := s.Has(pin); !ok || err != nil {
		t.Errorf("Has = %v, %v", ok, err)
	}
	if err := s.Verify(t.Context(), pin); err != nil {
		t.Error(err)
	}
	image, err := s.Image(pin)
	if err != nil {
		t.Fatal(err)
	}
	sameImage(t, image, pin, r)
	index, err := layout.ImageIndexFromPath(s.root)
	if err != nil {
		t.Fatal(err)
	}
	hash, err := v1.NewHash(pin.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	listed, err := index.Image(hash)
	if err != nil {
		t.Fatalf("not an image layout: %v", err)
	}
	sameImage(t, listed, pin, r)
	if again := put(t, s, r); again != pin {
		t.Errorf("second Put = %+v", again)
	}
}

func sameImage(t *testing.T, image v1.Image, pin images.Pin, r raw) {
	t.Helper()
	digest, err := image.Digest()
	if err != nil || digest.String() != pin.Manifest {
		t.Errorf("digest %s, %v", digest, err)
	}
	config, err := image.ConfigName()
	if err != nil || config.String() != pin.Config {
		t.Errorf("config %s, %v", config, err)
	}
	layers, err := image.Layers()
	if err != nil || len(layers) != len(r.blobs) {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	for _, l := range layers {
		rc, err := l.Compressed()
		if err != nil {
			t.Fatal(err)
		}
		defer rc.Close()
		text, err := io.ReadAll(rc)
		if err != nil || r.blobs[digestOf(text)] == nil {
			t.Errorf("layer of %d bytes, %v", len(text), err)
		}
	}
}

func TestABrokenBlobIsNamedAndPutMendsIt(t *testing.T) {
	r := simple(t)
	for _, row := range []struct {
		name, want string
		breakIt    func(file string) error
		hasErr     bool
	}{
		{"a byte of a layer differs", "digest mismatch", flip, false},
		{"a layer is cut", "want", func(f string) error { return os.Truncate(f, 20) }, true},
		{"a layer is longer", "more than", grow, true},
		{"a layer is gone", "no such file", os.Remove, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newStore(t)
			pin := put(t, s, r)
			var digest string
			for digest = range r.blobs {
			}
			if err := row.breakIt(filepath.Join(s.blobs(), digest[7:])); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Has(pin); (err != nil) != row.hasErr {
				t.Errorf("Has: %v", err)
			}
			_, rootfsErr := s.Rootfs(t.Context(), pin)
			for what, err := range map[string]error{
				"Verify":  s.Verify(t.Context(), pin),
				"Rootfs":  rootfsErr,
				"Archive": s.Archive(t.Context(), pin, io.Discard),
			} {
				if err == nil || !strings.Contains(err.Error(), row.want) || !strings.Contains(err.Error(), digest[7:]) {
					t.Errorf("%s: %v", what, err)
				}
			}
			noRootfs(t, s)
			put(t, s, r)
			if err := s.Verify(t.Context(), pin); err != nil {
				t.Errorf("after a second Put: %v", err)
			}
		})
	}
}

func flip(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	text[len(text)-1] ^= 1
	return os.WriteFile(file, text, 0o644)
}

func grow(file string) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString("x")
	return err
}

// noRootfs is an error if anything but lock files is left of an unpacking that failed.
func noRootfs(t *testing.T, s *Store) {
	t.Helper()
	left, err := os.ReadDir(s.rootfs())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range left {
		if !strings.HasSuffix(e.Name(), ".lock") {
			t.Errorf("left behind: %s", e.Name())
		}
	}
}

func TestPutRefusesWhatIsNotAPlainImage(t *testing.T) {
	layer0 := func(m object) object { return m["layers"].([]any)[0].(object) }
	for _, row := range []struct {
		name, want string
		edit       func(m, c object)
	}{
		{"an index", "media type", func(m, c object) { m["mediaType"] = string(types.OCIImageIndex) }},
		{"a Docker manifest", "media type", func(m, c object) { m["mediaType"] = string(types.DockerManifestSchema2) }},
		{"a manifest without a media type", "media type", func(m, c object) { delete(m, "mediaType") }},
		{"a manifest that is an index too", "not a plain image", func(m, c object) { m["manifests"] = []any{} }},
		{"a manifest with a subject", "not a plain image", func(m, c object) { m["subject"] = object{} }},
		{"an artifact", "not a plain image", func(m, c object) { m["artifactType"] = "x/y" }},
		{"schema 1", "schemaVersion", func(m, c object) { m["schemaVersion"] = 1 }},
		{"zstd", "zstd", func(m, c object) { layer0(m)["mediaType"] = string(types.OCILayerZStd) }},
		{"a foreign layer", "nondistributable", func(m, c object) { layer0(m)["mediaType"] = string(types.OCIRestrictedLayer) }},
		{"a layer with urls", "urls", func(m, c object) { layer0(m)["urls"] = []any{"https://scangate.invalid"} }},
		{"a layer with embedded data", "data", func(m, c object) { layer0(m)["data"] = "eA==" }},
		{"a digest with a path", "64 hex digits", func(m, c object) { layer0(m)["digest"] = "sha256:../../../../etc/passwd" }},
		{"sha512", "64 hex digits", func(m, c object) { layer0(m)["digest"] = "sha512:" + strings.Repeat("0", 128) }},
		{"an upper case digest", "64 hex digits", func(m, c object) { layer0(m)["digest"] = "sha256:" + strings.Repeat("A", 64) }},
		{"a negative size", "size", func(m, c object) { layer0(m)["size"] = -1 }},
		{"a wrong size", "more than", func(m, c object) { layer0(m)["size"] = 3 }},
		{"a layer that has another digest", "digest mismatch", func(m, c object) {
			layer0(m)["digest"] = "sha256:" + strings.Repeat("0", 64)
			layer0(m)["size"] = 0
		}},
		{"a config that has another digest", "config: digest mismatch", func(m, c object) {
			m["config"] = object{"mediaType": string(types.OCIConfigJSON), "digest": "sha256:" + strings.Repeat("0", 64), "size": 5}
		}},
		{"volumes", "Volumes", func(m, c object) { c["config"] = object{"Volumes": object{"/data": object{}}} }},
		{"volumes in other case", "other case", func(m, c object) { c["config"] = object{"volumes": object{"/data": object{}}} }},
		{"on build", "OnBuild", func(m, c object) { c["config"] = object{"OnBuild": []any{"RUN x"}} }},
		{"a working directory below /proc", "WorkingDir", func(m, c object) { c["config"] = object{"WorkingDir": "//proc/./self/fd/8"} }},
		{"a diff_id too few", "diff_ids", func(m, c object) { c["rootfs"] = object{"type": "layers", "diff_ids": []any{}} }},
		{"a diff_id that is none", "diff_id", func(m, c object) { c["rootfs"].(object)["diff_ids"] = []any{"sha256:0"} }},
		{"another system", "os", func(m, c object) { c["os"] = "windows" }},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newStore(t)
			r := build(t, [][]byte{tarOf(t, reg("a", "a"))}, row.edit)
			for _, b := range r.blobs { // a layer under whichever digest the manifest gives it
				r.blobs["sha256:"+strings.Repeat("0", 64)] = b[:0]
			}
			_, err := s.Put(t.Context(), r.image(t))
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("Put = %v, want %q in it", err, row.want)
			}
			if _, err := os.Stat(filepath.Join(s.blobs(), digestOf(r.manifest)[7:])); !os.IsNotExist(err) {
				t.Errorf("the manifest was kept: %v", err)
			}
			if _, err := os.Stat(filepath.Join(s.blobs(), strings.Repeat("0", 64))); !os.IsNotExist(err) {
				t.Errorf("a blob was kept under a digest it does not have: %v", err)
			}
		})
	}
}

func TestAPinIsBothDigests(t *testing.T) {
	s := newStore(t)
	a, b := put(t, s, simple(t)), put(t, s, build(t, nil, nil))
	mixed := images.Pin{Manifest: a.Manifest, Config: b.Config}
	if _, err := s.Has(mixed); err == nil || !strings.Contains(err.Error(), "config: digest mismatch") {
		t.Errorf("Has = %v", err)
	}
	if _, err := s.Rootfs(t.Context(), mixed); err == nil {
		t.Error("Rootfs took a manifest with another's config")
	}
	for _, digest := range []string{"", "sha256:", "../" + a.Manifest, a.Manifest + "/..", strings.ToUpper(a.Manifest)} {
		if _, err := s.Rootfs(t.Context(), images.Pin{Manifest: digest, Config: a.Config}); err == nil {
			t.Errorf("Rootfs took %q", digest)
		}
	}
	if ok, err := s.Has(images.Pin{Manifest: digestOf(nil), Config: a.Config}); ok || err != nil {
		t.Errorf("Has of an absent image = %v, %v", ok, err)
	}
}

func TestPutsAtOnceListEveryImage(t *testing.T) {
	s := newStore(t)
	var wg sync.WaitGroup
	for i := range 8 {
		r := build(t, [][]byte{tarOf(t, reg("common", "x"))}, func(m, c object) { c["author"] = string(rune('a' + i)) })
		wg.Go(func() {
			if _, err := s.Put(t.Context(), r.image(t)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	index, err := layout.ImageIndexFromPath(s.root)
	if err != nil {
		t.Fatal(err)
	}
	m, err := index.IndexManifest()
	if err != nil || len(m.Manifests) != 8 {
		t.Errorf("index: %+v, %v", m, err)
	}
}

func TestTheArchiveHoldsTheImageUnderItsConfigDigest(t *testing.T) {
	s := newStore(t)
	layer := tarOf(t, reg("a", "a"))
	r := build(t, [][]byte{layer, tarOf(t, reg("b", "b")), layer}, nil)
	pin := put(t, s, r)
	var b bytes.Buffer
	if err := s.Archive(t.Context(), pin, &b); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for tr := tar.NewReader(&b); ; {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := files[h.Name]; twice {
			t.Errorf("%s is there twice", h.Name)
		}
		if files[h.Name], err = io.ReadAll(tr); err != nil {
			t.Fatal(err)
		}
	}
	var m []saved
	if err := json.Unmarshal(files["manifest.json"], &m); err != nil || len(m) != 1 || len(m[0].Layers) != 3 || m[0].RepoTags != nil {
		t.Fatalf("manifest.json: %s %v", files["manifest.json"], err)
	}
	if digestOf(files[m[0].Config]) != pin.Config || m[0].Config != pin.Config[7:]+".json" {
		t.Errorf("config %s is %s", m[0].Config, digestOf(files[m[0].Config]))
	}
	for i, name := range m[0].Layers {
		if d := digestOf(files[name]); r.blobs[d] == nil || name != d[7:]+"/layer.tar" {
			t.Errorf("layer %d: %s is %s", i, name, d)
		}
	}
}
