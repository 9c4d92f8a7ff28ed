package cli

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/scangate/scangate/images"
	"github.com/scangate/scangate/images/assemble"
	"github.com/scangate/scangate/scanners"
)

func (e env) imagesCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "images",
		Short: "Build, list and refresh the scanners' images",
		Args:  cobra.NoArgs, // else a command that is misspelt prints the help and ends with 0
		RunE: func(c *cobra.Command, args []string) error {
			return hinted{errors.New("images: want build, ls or refresh"), `"scangate images --help" says what they do`}
		},
	}
	c.AddCommand(e.imagesBuild(), e.imagesList(), e.imagesRefresh())
	return c
}

func (e env) imagesBuild() *cobra.Command {
	var lockName, write string
	c := &cobra.Command{
		Use:   "build [NAME ...]",
		Short: "Assemble images from their recipes, bit for bit, and hold them against the lock",
		Long: `Assemble images from their recipes into the store (default: all), print their digests and hold them against the lock.

With --write FILE the digests are put into that lock instead.`,
		RunE: func(c *cobra.Command, names []string) error {
			d, err := findDirs()
			if err != nil {
				return err
			}
			p := newProgress(e.stderr)
			s, err := e.supply(d, p.line)
			if err != nil {
				return err
			}
			if len(names) == 0 {
				names = slices.Sorted(maps.Keys(s.Recipes))
			}
			lock, err := readLock(lockName, ".")
			if err != nil {
				return err
			}
			if write != "" {
				if lock, err = lockToWrite(write); err != nil {
					return err
				}
			}
			for _, name := range names {
				got, err := s.Build(c.Context(), name)
				if err != nil {
					return err
				}
				fmt.Fprintf(e.stdout, "%s %s manifest=%s config=%s size=%d\n", name, s.Platform, got.Manifest, got.Config, got.Size)
				if write != "" {
					i := lock.Images[name]
					i.Source = images.FromRecipe
					i.Platforms = maps.Clone(i.Platforms)
					if i.Platforms == nil {
						i.Platforms = map[string]images.Pin{}
					}
					i.Platforms[s.Platform] = got
					lock.Images[name] = i
					continue
				}
				want, err := lock.Pin(name, s.Platform)
				if err != nil {
					return hinted{err, "--write FILE puts it into a lock"}
				}
				if err := want.Check(name, got); err != nil {
					return hinted{err, "the recipe or one of its tools has changed: review it, then build with --write FILE"}
				}
			}
			if write == "" {
				return nil
			}
			lock.Adapters = scanners.Version
			text, err := images.EncodeLock(lock)
			if err != nil {
				return err
			}
			return replaceFile(write, text)
		},
	}
	c.Flags().StringVar(&lockName, "lock", "", "read the lock from `FILE` (default: scangate.lock here, else the lock built in)")
	c.Flags().StringVar(&write, "write", "", "put the digests into the lock `FILE`")
	return c
}

// lockToWrite is the lock in the file, or an empty one.
func lockToWrite(name string) (images.Lock, error) {
	b, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return images.Lock{Schema: images.LockSchema, Images: map[string]images.Image{}}, nil
	} else if err != nil {
		return images.Lock{}, err
	}
	lock, err := images.DecodeLock(b)
	if lock.Images == nil {
		lock.Images = map[string]images.Image{}
	}
	return lock, err
}

func (e env) imagesList() *cobra.Command {
	var lockName string
	c := &cobra.Command{
		Use:   "ls",
		Short: "List the locked images and whether the store has them",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			d, err := findDirs()
			if err != nil {
				return err
			}
			s, err := e.supply(d, func(string, ...any) {})
			if err != nil {
				return err
			}
			lock, err := readLock(lockName, ".")
			if err != nil {
				return err
			}
			t := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "NAME\tPLATFORM\tMANIFEST\tSIZE\tSTORE")
			for _, name := range slices.Sorted(maps.Keys(lock.Images)) {
				for _, on := range slices.Sorted(maps.Keys(lock.Images[name].Platforms)) {
					pin := lock.Images[name].Platforms[on]
					has, err := s.Store.Has(pin)
					if err != nil {
						return err
					}
					state := "absent"
					if has {
						state = "present"
					}
					fmt.Fprintf(t, "%s\t%s\t%s\t%d MB\t%s\n", name, on, pin.Manifest, pin.Size>>20, state)
				}
			}
			return t.Flush()
		},
	}
	c.Flags().StringVar(&lockName, "lock", "", "read the lock from `FILE` (default: scangate.lock here, else the lock built in)")
	return c
}

func (e env) imagesRefresh() *cobra.Command {
	return &cobra.Command{
		Use:   "refresh NAME RECIPE",
		Short: "Re-pin the Debian packages of a recipe file to what the package index serves now, and show the difference",
		Args:  cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			source, err := os.ReadFile(args[1])
			if err != nil {
				return err
			}
			recipe, err := assemble.ParseRecipe(source)
			if err != nil {
				return fmt.Errorf("%s: %w", args[1], err)
			}
			if recipe.Name != args[0] {
				return fmt.Errorf("%s: is the recipe of %s, not of %s", args[1], recipe.Name, args[0])
			}
			_, changes, err := assemble.Refresh(c.Context(), recipe, platform())
			if err != nil {
				return err
			}
			for _, change := range changes {
				fmt.Fprintln(e.stdout, change)
			}
			if len(changes) == 0 {
				fmt.Fprintln(e.stdout, "every pin is served")
				return nil
			}
			text, err := assemble.Rewrite(source, changes)
			if err != nil {
				return err
			}
			return replaceFile(args[1], text)
		},
	}
}
