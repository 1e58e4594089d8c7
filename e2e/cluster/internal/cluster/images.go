package cluster

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"

	"keelway.dev/e2e/cluster/internal/image"
	"keelway.dev/e2e/cluster/internal/sweep"
	"keelway.dev/e2e/cluster/internal/tools"
)

// pushImages fills the registry: the pause image that every pod needs, and two versions of the example app.
func (c *Cluster) pushImages(ctx context.Context) error {
	if err := c.wait(ctx, registry, func(ctx context.Context) error {
		return get(ctx, http.DefaultClient, "http://"+c.Addr("registry")+"/v2/")
	}); err != nil {
		return err
	}
	for _, program := range tools.Programs() {
		dir, err := program.Ensure(c.Settings, nil)
		if err != nil {
			return err
		}
		binary := filepath.Join(dir, program.Binary)
		for _, version := range []string{"1", "2"} {
			spec := image.Spec{
				Add: []image.Mapping{{Source: binary, Target: "/" + program.Binary}}, Entrypoint: []string{"/" + program.Binary},
				User: "65532:65532", Env: []string{"VERSION=" + version},
			}
			built, err := image.Build(spec)
			if err != nil {
				return err
			}
			if _, err := image.Push(ctx, built, fmt.Sprintf("%s/keelway/%s:%s", c.Addr("registry"), program.Name, version)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Cluster) sweepLocked() error {
	unlock, err := tools.Lock(c.lockFile())
	if err != nil {
		return err
	}
	defer unlock()
	return sweep.All(c.Settings)
}
