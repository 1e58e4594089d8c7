package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"keelway.dev/e2e/cluster/internal/cluster"
	"keelway.dev/e2e/cluster/internal/kwok"
	"keelway.dev/e2e/cluster/internal/progress"
	"keelway.dev/e2e/cluster/internal/settings"
	"keelway.dev/e2e/cluster/internal/tools"
)

// runKwok gives the running cluster fake nodes.
func runKwok(ctx context.Context, s settings.Settings, args []string) error {
	flags := flag.NewFlagSet("kwok", flag.ContinueOnError)
	nodes := flags.Int("nodes", 1, "how many fake nodes there are to be; 0 removes them and ends KWOK")
	if flags.Parse(args) != nil || *nodes < 0 {
		return errUsage
	}
	display := progress.New(os.Stderr)
	defer display.Close()
	c, err := cluster.New(s, display)
	if err != nil {
		return err
	}
	if err := c.Healthy(ctx); err != nil {
		return fmt.Errorf("%w; start it with `make cluster`", err)
	}
	set, err := tools.Ensure(s, display, "kwok")
	if err != nil {
		return err
	}
	client, err := c.Client()
	if err != nil {
		return err
	}
	return display.Run(fmt.Sprintf("setting the number of fake nodes to %d", *nodes), func() error {
		return kwok.Scale(ctx, s, client, set.Kwok, *nodes)
	})
}
