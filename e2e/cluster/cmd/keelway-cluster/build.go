package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"keelway.dev/e2e/cluster/internal/progress"
	"keelway.dev/e2e/cluster/internal/settings"
	"keelway.dev/e2e/cluster/internal/tools"
)

// runBuild builds the named tools, or all.
func runBuild(_ context.Context, s settings.Settings, names []string) error {
	display := progress.New(os.Stderr)
	defer display.Close()
	var known []string
	for _, tool := range tools.All() {
		known = append(known, tool.Name)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return fmt.Errorf("no tool is called %q; there are %s", name, strings.Join(known, ", "))
		}
	}
	if len(names) == 0 {
		names = known
	}
	_, err := tools.Ensure(s, display, names...)
	return err
}
