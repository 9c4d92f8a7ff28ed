package store

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/scangate/scangate/images"
)

// raw is an image given by its bytes, which need not agree with each other.
type raw struct {
	manifest, config []byte
	blobs            map[string][]byte
}

func (r raw) RawManifest() ([]byte, error)        { return r.manifest, nil }
func (r raw) RawConfigFile() ([]byte, error)      { return r.config, nil }
func (r raw) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }
func (r raw) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	return rawLayer{h, r.blobs[h.String()]}, nil
}

type rawLayer struct {
	digest v1.Hash
	text   []byte
}

func (l rawLayer) Digest() (v1.Hash, error)            { return l.digest, nil }
func (l rawLayer) Size() (int64, error)                { return int64(len(l.text)), nil }
func (l rawLayer) MediaType() (types.MediaType, error) { return types.OCILayer, nil }
func (l rawLayer) Compressed() (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(l.text)), nil
}

func (r raw) image(t *testing.T) v1.Image {
	t.Helper()
	image, err := partial.CompressedToImage(r)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

type object = map[string]any

// build makes a raw image of gzipped tars. Edit may bend manifest and config before they are written.
func build(t *testing.T, tars [][]byte, edit func(manifest, config object)) raw {
	t.Helper()
	r := raw{blobs: map[string][]byte{}}
	layers, diffIDs := []any{}, []any{}
	for _, text := range tars {
		zipped := gz(t, text)
		r.blobs[digestOf(zipped)] = zipped
		layers = append(layers, object{"mediaType": string(types.OCILayer), "digest": digestOf(zipped), "size": len(zipped)})
		diffIDs = append(diffIDs, digestOf(text))
	}
	config := object{"os": "linux", "architecture": "amd64", "config": object{},
		"rootfs": object{"type": "layers", "diff_ids": diffIDs}}
	manifest := object{"schemaVersion": 2, "mediaType": string(types.OCIManifestSchema1), "layers": layers}
	if edit != nil {
		edit(manifest, config)
	}
	r.config = marshal(t, config)
	if manifest["config"] == nil {
		manifest["config"] = object{"mediaType": string(types.OCIConfigJSON), "digest": digestOf(r.config), "size": len(r.config)}
	}
	r.manifest = marshal(t, manifest)
	return r
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func gz(t *testing.T, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// archive writes a tar; a header's Size is that of the text at the same index, "" where there is none.
func tarOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := e.Header
		h.Size = int64(len(e.text))
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatalf("%q: %v", h.Name, err)
		}
		if _, err := io.WriteString(w, e.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type entry struct {
	tar.Header
	text string
}

func reg(name, text string) entry { return entry{tar.Header{Name: name, Mode: 0o644}, text} }
func dir(name string) entry {
	return entry{tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: 0o755}, ""}
}
func sym(name, to string) entry {
	return entry{tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: to}, ""}
}
func hard(name, to string) entry {
	return entry{tar.Header{Name: name, Typeflag: tar.TypeLink, Linkname: to}, ""}
}

func newStore(t *testing.T) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "images"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

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

func TestTheRootFileSystemIsPlain(t *testing.T) {
	s := newStore(t)
	root, err := s.Rootfs(t.Context(), put(t, s, simple(t)))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		". drwxr-xr-x", "bin -> usr", "dev drwxr-xr-x", "etc drwxr-xr-x", "etc/passwd -rw-r--r--", "proc drwxr-xr-x",
		"scangate drwxr-xr-x", "sys drwxr-xr-x", "tmp dtrwxrwxrwx", "usr drwxr-xr-x", "usr/more -rw-r--r--",
		"usr/tool -rwxr-xr-x", "workspace drwxr-xr-x",
	}
	if got := listing(t, root); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	info, err := os.Stat(filepath.Join(root, "usr/tool"))
	if err != nil || !info.ModTime().Equal(time.Unix(1234, 0)) {
		t.Errorf("mtime: %v %v", info, err)
	}
}

// listing tells of each path its mode, or its link text.
func listing(t testing.TB, root string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, name)
		if e.Type() == fs.ModeSymlink {
			to, err := os.Readlink(name)
			out = append(out, rel+" -> "+to)
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		out = append(out, rel+" "+info.Mode().String())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
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

func TestAWrongDiffIDIsRefused(t *testing.T) {
	s := newStore(t)
	pin := put(t, s, build(t, [][]byte{tarOf(t, reg("a", "a"))}, func(m, c object) {
		c["rootfs"].(object)["diff_ids"] = []any{digestOf([]byte("other"))}
	}))
	_, err := s.Rootfs(t.Context(), pin)
	if err == nil || !strings.Contains(err.Error(), "digest mismatch: want "+digestOf([]byte("other"))) {
		t.Errorf("Rootfs = %v", err)
	}
	noRootfs(t, s)
}

func TestLeftoversOfKilledProcessesDoNotMatter(t *testing.T) {
	s := newStore(t)
	pin := put(t, s, simple(t))
	final := filepath.Join(s.rootfs(), pin.Manifest[7:])
	half := filepath.Join(s.rootfs(), "."+pin.Manifest[7:]+".tmp-1")
	blob := filepath.Join(s.blobs(), tempPrefix+"1")
	for _, file := range []string{final + "/half", half + "/half", blob} { // renamed but not marked; not renamed; a blob
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(blob, time.Unix(0, 0), time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(s.root); err != nil {
		t.Fatal(err)
	}
	root, err := s.Rootfs(t.Context(), pin)
	if err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{root + "/half", half, blob} {
		if _, err := os.Lstat(gone); !os.IsNotExist(err) {
			t.Errorf("%s is still there", gone)
		}
	}
}

// TestMain is also the other process of TestTwoProcessesAtOnce.
func TestMain(m *testing.M) {
	root, pin := os.Getenv("STORE_TEST_ROOT"), os.Getenv("STORE_TEST_PIN")
	if root == "" {
		os.Exit(m.Run())
	}
	manifest, config, _ := strings.Cut(pin, ",")
	s, err := Open(root)
	if err == nil {
		_, err = s.Rootfs(context.Background(), images.Pin{Manifest: manifest, Config: config})
	}
	if err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
	os.Exit(0)
}

func TestManyProcessesAtOnceAndOneKilled(t *testing.T) {
	s := newStore(t)
	var entries []entry
	for i := range 2000 {
		entries = append(entries, reg("d/"+strings.Repeat("x", i%50)+string(rune('a'+i%26))+strings.Repeat("y", i/50), "text"))
	}
	pin := put(t, s, build(t, [][]byte{tarOf(t, entries...)}, nil))
	command := func() *exec.Cmd {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), "STORE_TEST_ROOT="+s.root, "STORE_TEST_PIN="+pin.Manifest+","+pin.Config)
		return c
	}
	victim := command()
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	for { // until it is in the middle
		half, _ := filepath.Glob(filepath.Join(s.rootfs(), ".*.tmp-*", "d"))
		done, _ := filepath.Glob(filepath.Join(s.rootfs(), "*.complete"))
		if len(half)+len(done) > 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait()

	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if out, err := command().CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
		wg.Go(func() {
			if _, err := s.Rootfs(t.Context(), pin); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	root, err := s.Rootfs(t.Context(), pin)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(listing(t, filepath.Join(root, "d"))); got != len(entries)+1 {
		t.Errorf("%d paths, want %d", got, len(entries)+1)
	}
	if left, _ := filepath.Glob(filepath.Join(s.rootfs(), ".*.tmp-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
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
