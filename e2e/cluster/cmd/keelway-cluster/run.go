package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"keelway.dev/e2e/cluster/internal/cluster"
	"keelway.dev/e2e/cluster/internal/process"
	"keelway.dev/e2e/cluster/internal/progress"
	"keelway.dev/e2e/cluster/internal/settings"
	"keelway.dev/e2e/cluster/internal/sweep"
	"keelway.dev/e2e/cluster/internal/tools"
)

func runUp(ctx context.Context, s settings.Settings, _ []string) error {
	display := progress.New(os.Stderr)
	defer display.Close()
	c, err := cluster.New(s, display)
	if err != nil {
		return err
	}
	return c.Up(ctx)
}

func runDown(_ context.Context, s settings.Settings, args []string) error {
	flags := flag.NewFlagSet("down", flag.ContinueOnError)
	verify := flags.Bool("verify", false, "list what is left afterwards, and fail if anything is")
	if flags.Parse(args) != nil {
		return errUsage
	}
	display := progress.New(os.Stderr)
	defer display.Close()
	c, err := cluster.New(s, display)
	if err != nil {
		return err
	}
	if err := c.Down(); err != nil || !*verify {
		return err
	}
	if left := sweep.Left(s); len(left) > 0 {
		return fmt.Errorf("left behind:\n  %s", strings.Join(left, "\n  "))
	}
	display.Say("verified: no process, control group, mount, interface, address, rule or file of the cluster is left")
	return nil
}

func runStatus(ctx context.Context, s settings.Settings, _ []string) error {
	c, err := cluster.New(s, progress.New(os.Stderr))
	if err != nil {
		return err
	}
	for _, name := range cluster.Components {
		state := "stopped"
		if process.Alive(s, name) {
			pid, err := process.PID(s, name)
			if err != nil {
				return err
			}
			state = fmt.Sprintf("runs, process %d", pid)
		}
		fmt.Printf("%-24s %s\n", name, state)
	}
	if err := c.Healthy(ctx); err != nil {
		return err
	}
	fmt.Printf("healthy; kubeconfig %s\n", c.Kubeconfig())
	return nil
}

func runLogs(_ context.Context, s settings.Settings, args []string) error {
	flags := flag.NewFlagSet("logs", flag.ContinueOnError)
	lines := flags.Int("lines", 50, "how many of the last lines")
	if flags.Parse(args) != nil {
		return errUsage
	}
	names := flags.Args()
	if len(names) == 0 {
		names = cluster.Components
	}
	for _, name := range names {
		fmt.Printf("==> %s <==\n%s\n", process.LogFile(s, name), process.Tail(s, name, *lines))
	}
	return nil
}

// runEnv prints what a shell is to eval.
func runEnv(_ context.Context, s settings.Settings, _ []string) error {
	c, err := cluster.New(s, progress.New(os.Stderr))
	if err != nil {
		return err
	}
	set, err := tools.Locate(s)
	if err != nil {
		return err
	}
	for _, pair := range c.Environment(set) {
		fmt.Printf("export %s='%s'\n", pair[0], pair[1])
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	fmt.Printf("export PATH='%s:%s:%s':\"$PATH\"\n", filepath.Dir(self), set.Kube, set.Helm)
	return nil
}

// runNode becomes a program in the node's own mount namespace; up starts containerd and the kubelet through it.
func runNode(_ context.Context, s settings.Settings, args []string) error {
	flags := flag.NewFlagSet("node", flag.ContinueOnError)
	flags.StringVar(&s.State, "state", s.State, "the state folder")
	join := flags.Int("join", 0, "a process whose mounts to share; 0 makes new ones")
	if flags.Parse(args) != nil {
		return errUsage
	}
	if flags.NArg() == 0 {
		return errors.New("node: want a program to run")
	}
	return process.ExecInNode(s, *join, flags.Args())
}
