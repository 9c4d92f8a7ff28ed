package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/client"

	"github.com/scangate/scangate/orchestrator/engine"
)

// loadedImage is what the daemon has: its name for the image, and the variables that the image would set.
type loadedImage struct {
	id  string
	env []string
}

// loaded is one image on its way into the daemon, or there.
type loaded struct {
	mu    sync.Mutex
	ready bool
	image loadedImage
}

// ensure gives the image that has the locked digest: the daemon's, else the archive's. Jobs that need the same image wait
// for one loading.
func (d *docker) ensure(ctx context.Context, want engine.Image) (loadedImage, error) {
	d.mu.Lock()
	l, ok := d.images[want]
	if !ok {
		l = &loaded{}
		d.images[want] = l
	}
	d.mu.Unlock()

	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ready {
		return l.image, nil
	}
	image, err := d.find(ctx, want)
	if cerrdefs.IsNotFound(err) {
		image, err = d.load(ctx, want)
	}
	if err != nil {
		return loadedImage{}, fmt.Errorf("image %s: %w", want.Name, err)
	}
	l.ready, l.image = true, image
	return image, nil
}

// find asks for the image by its digests. A daemon's image ID is the config's digest in the classic store, the
// manifest's in containerd's.
func (d *docker) find(ctx context.Context, want engine.Image) (loadedImage, error) {
	missing := errors.New("it has no digest")
	for _, digest := range []string{want.Config, want.Manifest} {
		if digest == "" {
			continue
		}
		i, err := d.inspect(ctx, digest, want)
		if err == nil || !cerrdefs.IsNotFound(err) {
			return i, err
		}
		missing = err
	}
	return loadedImage{}, missing
}

func (d *docker) inspect(ctx context.Context, name string, want engine.Image) (loadedImage, error) {
	got, err := d.api.ImageInspect(ctx, name)
	if err != nil {
		return loadedImage{}, err
	}
	id := got.ID
	if !strings.Contains(id, ":") {
		id = "sha256:" + id
	}
	if id != want.Config && id != want.Manifest {
		return loadedImage{}, fmt.Errorf("digest mismatch: want config %s or manifest %s, got %s", want.Config, want.Manifest, id)
	}
	if got.Config == nil {
		return loadedImage{}, errors.New("it has no configuration")
	}
	if v := got.Config.Volumes; len(v) > 0 {
		return loadedImage{}, fmt.Errorf("it declares VOLUME %s, which would stay writable",
			strings.Join(slices.Sorted(maps.Keys(v)), " "))
	}
	return loadedImage{id: id, env: got.Config.Env}, nil
}

// load sends the archive and looks at what the daemon made of it.
func (d *docker) load(ctx context.Context, want engine.Image) (loadedImage, error) {
	if d.opts.Archive == nil {
		return loadedImage{}, fmt.Errorf("the daemon has neither %s nor %s", want.Config, want.Manifest)
	}
	tar, err := d.opts.Archive(ctx, want)
	if err != nil {
		return loadedImage{}, fmt.Errorf("open archive: %w", err)
	}
	defer tar.Close()
	resp, err := d.api.ImageLoad(ctx, tar, client.ImageLoadWithQuiet(true))
	if err != nil {
		return loadedImage{}, fmt.Errorf("load: %w", err)
	}
	defer resp.Body.Close()
	names, err := loadedNames(resp.Body)
	if err != nil {
		return loadedImage{}, fmt.Errorf("load: %w", err)
	}
	i, err := d.find(ctx, want)
	if !cerrdefs.IsNotFound(err) {
		return i, err
	}
	for _, n := range names {
		if i, err := d.inspect(ctx, n, want); err != nil {
			return i, fmt.Errorf("loaded as %s: %w", n, err)
		}
	}
	return loadedImage{}, fmt.Errorf("digest mismatch: want config %s or manifest %s, got nothing by either name", want.Config, want.Manifest)
}

// loadedNames reads the daemon's progress messages: what it says it loaded, or its error.
func loadedNames(r io.Reader) ([]string, error) {
	var names []string
	for d := json.NewDecoder(r); ; {
		var m struct {
			Stream string `json:"stream"`
			Error  string `json:"error"`
		}
		if err := d.Decode(&m); err == io.EOF {
			return names, nil
		} else if err != nil {
			return nil, fmt.Errorf("read progress: %w", err)
		}
		if m.Error != "" {
			return nil, errors.New(m.Error)
		}
		for line := range strings.Lines(m.Stream) {
			for _, say := range []string{"Loaded image ID: ", "Loaded image: "} {
				if n, ok := strings.CutPrefix(strings.TrimSpace(line), say); ok {
					names = append(names, n)
				}
			}
		}
	}
}
