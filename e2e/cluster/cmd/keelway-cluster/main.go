// Command keelway-cluster runs a real Kubernetes on this machine, for the demo and the tests.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sort"
	"strings"
	"syscall"

	"keelway.dev/e2e/cluster/internal/settings"
)

// root is the checkout that this program was built from; the build sets it.
var root string

// command is one subcommand.
type command struct {
	help string
	run  func(context.Context, settings.Settings, []string) error
}

// errUsage asks for the help text.
var errUsage = errors.New("usage")

var commands = map[string]command{
	"build":  {"build what is not in the cache yet: build [NAME…]", runBuild},
	"up":     {"start the cluster, or do nothing if it is healthy", runUp},
	"down":   {"end the cluster; --verify proves that nothing is left", runDown},
	"status": {"say what runs", runStatus},
	"logs":   {"print the ends of the components' logs: logs [--lines N] [NAME…]", runLogs},
	"env":    {"print variables for a shell: eval \"$(keelway-cluster env)\"", runEnv},
	"demo":   {"install Keelway and run the example app", runDemo},
	"kwok":   {"give the cluster fake nodes: kwok --nodes N", runKwok},
	"image":  {"build an image and push it to the cluster's registry", runImage},
	// What up starts; nobody types these.
	"agent": {"", runAgent},
	"node":  {"", runNode},
}

func main() {
	// What we write must be readable by Gitea's user; secrets have their own modes.
	syscall.Umask(0o022)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		if errors.Is(err, errUsage) {
			usage()
			os.Exit(2)
		}
		fmt.Fprintln(os.Stderr, "keelway-cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	chosen, ok := commands[args[0]]
	if !ok {
		return errUsage
	}
	if err := os.Setenv("PATH", os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin"); err != nil {
		return err
	}
	s, err := settings.Load(root)
	if err != nil {
		return err
	}
	return chosen.run(ctx, s, args[1:])
}

func usage() {
	var lines []string
	for name, command := range commands {
		if command.help != "" {
			lines = append(lines, fmt.Sprintf("  %-8s %s", name, command.help))
		}
	}
	sort.Strings(lines)
	fmt.Fprintf(os.Stderr, "usage: keelway-cluster COMMAND [flags]\n%s\n", strings.Join(lines, "\n"))
}
