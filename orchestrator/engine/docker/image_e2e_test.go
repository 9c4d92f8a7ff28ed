//go:build e2e

package docker_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"

	"github.com/scangate/scangate/orchestrator/engine"
)

// buildSubject compiles the program of the tests' images.
func buildSubject(dir string) ([]byte, error) {
	out := filepath.Join(dir, "subject")
	c := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, "./testdata/subject")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if b, err := c.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build subject: %w: %s", err, b)
	}
	return os.ReadFile(out)
}

// imageOf makes an image of one layer with the program in it, under the given configuration.
func imageOf(program []byte, config v1.Config) (v1.Image, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []tar.Header{
		{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o755}, // on purpose not 1777
		{Name: "open/", Typeflag: tar.TypeDir, Mode: 0o777},
		{Name: "open/file", Typeflag: tar.TypeReg, Mode: 0o666},
		{Name: "etc/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "etc/passwd", Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(passwd))},
		{Name: "subject", Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(program))},
	} {
		if err := w.WriteHeader(&h); err != nil {
			return nil, err
		}
		body := map[string][]byte{"subject": program, "etc/passwd": []byte(passwd)}[h.Name]
		if _, err := w.Write(body); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
	if err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	img, err = mutate.Config(img, config)
	if err != nil {
		return nil, err
	}
	f, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	f = f.DeepCopy()
	f.OS, f.Architecture = "linux", arch
	return mutate.ConfigFile(img, f)
}

// A name that is root's, and our numeric user under another name in a group of its own.
const passwd = "scanner:x:0:0::/:/subject\nnonroot:x:65532:65532::/home:/subject\n"

// shelf holds images as the store of the product would.
type shelf map[string]v1.Image

func (s shelf) add(t testing.TB, label string, img v1.Image) engine.Image {
	t.Helper()
	manifest, err := img.Digest()
	must(t, err)
	config, err := img.ConfigName()
	must(t, err)
	s[config.String()] = img
	return engine.Image{Name: label, Manifest: manifest.String(), Config: config.String()}
}

func (s shelf) archive(_ context.Context, i engine.Image) (io.ReadCloser, error) {
	img, ok := s[i.Config]
	if !ok {
		return nil, fmt.Errorf("no image %s on the shelf", i.Config)
	}
	tag, err := name.NewTag("scangate.invalid/" + i.Name + ":test")
	if err != nil {
		return nil, err
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(tarball.Write(tag, img, w)) }()
	return r, nil
}

// forget removes the tests' images from the daemon.
func (s shelf) forget() {
	w, err := testcontainers.NewDockerClientWithOpts(context.Background())
	if err != nil {
		panic(err)
	}
	defer w.Close()
	for _, img := range s {
		id, err := img.ConfigName()
		if err != nil {
			panic(err)
		}
		// Those that were refused before they were loaded are not there.
		if _, err := w.ImageRemove(context.Background(), id.String(), client.ImageRemoveOptions{Force: true}); err != nil && !cerrdefs.IsNotFound(err) {
			panic(err)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
