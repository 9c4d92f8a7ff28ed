package docker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"

	"github.com/scangate/scangate/pkg/lease"
)

// Every container carries the lease of the run that made it, which its run holds in Options.Dir from before its first
// container to after its last. A container is reaped only where all of this is so: it carries our owner, which is a random
// name kept in Options.Dir; and its lease can be inherited, or is gone. So a run never reaps another's containers: not of
// another user or machine that shares the daemon (other owner), nor of a run beside it (held).
const (
	labelOwner = "scangate.owner"
	labelLease = "scangate.lease"
	labelJob   = "scangate.job"
)

// removal bounds the removing of containers, which goes on after the caller's context has ended.
const removal = 30 * time.Second

// owned is the lease of a run, and whose it is.
type owned struct {
	owner, id string
	*lease.Lease
}

func takeLease(dir string) (*owned, error) {
	owner, err := ownerOf(dir)
	if err != nil {
		return nil, fmt.Errorf("name docker's state folder: %w", err)
	}
	id, l, err := lease.Take(dir)
	if err != nil {
		return nil, err
	}
	return &owned{owner, id, l}, nil
}

// ownerOf reads the folder's random name, and gives it one the first time.
func ownerOf(dir string) (string, error) {
	path := filepath.Join(dir, "owner")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := nameOnce(dir, path); err != nil {
			return "", err
		}
		b, err = os.ReadFile(path)
	}
	if err != nil {
		return "", err
	}
	if _, err := hex.DecodeString(string(b)); err != nil || len(b) != 32 {
		return "", fmt.Errorf("%s does not hold 32 hex digits", path)
	}
	return string(b), nil
}

// nameOnce lets one of several processes win, and none see half a name.
func nameOnce(dir, path string) error {
	f, err := os.CreateTemp(dir, "owner-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(random())
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func random() string {
	var b [16]byte
	rand.Read(b[:]) // never fails, crypto/rand
	return hex.EncodeToString(b[:])
}

func (l *owned) labels(job string) map[string]string {
	return map[string]string{labelOwner: l.owner, labelLease: l.id, labelJob: job}
}

// husk is a container of ours that the daemon still has.
type husk struct{ id, lease string }

// containers lists those of our owner, in any state.
func (d *docker) containers(ctx context.Context) ([]husk, error) {
	list, err := d.api.ContainerList(ctx, container.ListOptions{
		All: true, Filters: filters.NewArgs(filters.Arg("label", labelOwner+"="+d.lease.owner)),
	})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	var husks []husk
	for _, c := range list {
		husks = append(husks, husk{c.ID, c.Labels[labelLease]})
	}
	return husks, nil
}

// Sweep removes the containers of runs that have died, then their leases.
func (d *docker) Sweep(ctx context.Context) error {
	// Leases before containers: a run that starts in between is not among the leases.
	names, err := lease.Names(d.opts.Dir)
	if err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	husks, err := d.containers(ctx)
	if err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	of := map[string][]husk{}
	for _, name := range names {
		of[name] = nil
	}
	for _, h := range husks {
		of[h.lease] = append(of[h.lease], h)
	}
	var errs []error
	for id, husks := range of {
		if id != d.lease.id {
			errs = append(errs, d.reap(ctx, id, husks))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	return nil
}

// reap removes what a lease left, if its run is dead.
func (d *docker) reap(ctx context.Context, id string, husks []husk) error {
	if b, bad := hex.DecodeString(id); bad != nil || len(b) != 16 {
		return fmt.Errorf("a container carries the lease %q, which we never give", id)
	}
	l, err := lease.Inherit(d.opts.Dir, id)
	gone := errors.Is(err, fs.ErrNotExist)
	if err != nil && !gone {
		return err
	}
	if l == nil && !gone { // its run lives
		return nil
	}
	var errs []error
	for _, h := range husks {
		errs = append(errs, d.remove(ctx, h.id))
	}
	switch err := errors.Join(errs...); {
	case gone:
		return err
	case err != nil: // the next sweep removes the rest
		return errors.Join(err, l.Drop())
	}
	return l.End()
}
