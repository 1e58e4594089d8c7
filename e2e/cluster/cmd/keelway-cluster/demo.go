package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"keelway.dev/e2e/cluster/internal/demo"
	"keelway.dev/e2e/cluster/internal/progress"
	"keelway.dev/e2e/cluster/internal/settings"
)

// runDemo shows Keelway at work, from nothing to an app that answers.
func runDemo(ctx context.Context, s settings.Settings, args []string) error {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	where := flags.String("cluster", "local", "local, or current: the cluster of the current kubeconfig")
	if flags.Parse(args) != nil {
		return errUsage
	}
	display := progress.New(os.Stderr)
	defer display.Close()
	switch *where {
	case "local":
		return demo.Run(ctx, s, display)
	case "current":
		return demo.RunCurrent(ctx, s, display)
	}
	return fmt.Errorf("--cluster %s is unknown; want local or current", *where)
}
