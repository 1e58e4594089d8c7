package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"keelway.dev/e2e/cluster/internal/gitea"
	"keelway.dev/e2e/cluster/internal/process"
	"keelway.dev/e2e/cluster/internal/sweep"
	"keelway.dev/e2e/cluster/internal/tools"
)

// bootTime is how long the components get to become ready once started.
const bootTime = 90 * time.Second

// Up starts the cluster and returns when it is ready. A healthy one is left alone; of any other nothing is kept.
func (c *Cluster) Up(ctx context.Context) error {
	if os.Geteuid() != 0 {
		return errors.New("the cluster needs root, for containers, addresses and network rules; run it with sudo")
	}
	if err := os.MkdirAll(c.Cache, 0o755); err != nil {
		return err
	}
	unlock, err := tools.Lock(c.lockFile())
	if err != nil {
		return err
	}
	defer unlock()
	begin := time.Now()
	if err := c.Healthy(ctx); err == nil {
		c.display.Say("the cluster is up already; its kubeconfig is %s", c.Kubeconfig())
		return nil
	}
	if c.tools, err = tools.Ensure(c.Settings, c.display, tools.Needed...); err != nil {
		return err
	}
	booting := time.Now()
	if err := c.boot(ctx); err != nil {
		return err
	}
	if err := os.WriteFile(c.readyFile(), []byte(time.Now().Format(time.RFC3339)), 0o644); err != nil {
		return err
	}
	c.display.Say("the cluster is up: booted in %.1f s, %.1f s in all", time.Since(booting).Seconds(), time.Since(begin).Seconds())
	return nil
}

func (c *Cluster) boot(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	if err := c.display.Run("clearing what an earlier run left", func() error { return sweep.All(c.Settings) }); err != nil {
		return err
	}
	if err := c.display.Run("preparing folders, keys, settings and the network", c.prepare); err != nil {
		return err
	}
	if err := c.display.Run("starting etcd, the API server, containerd, registry and Gitea", func() error { return c.startBase(ctx) }); err != nil {
		return err
	}
	side := make(chan error, 2)
	go func() {
		side <- c.display.Run("pushing the images pause and hello", func() error { return c.pushImages(ctx) })
	}()
	go func() {
		side <- c.display.Run("setting Gitea up", func() error { return c.setUpGitea(ctx) })
	}()
	main := c.display.Run("starting controllers, scheduler, kubelet, proxy and DNS", func() error { return c.startNode(ctx) })
	if main != nil {
		return main
	}
	if err := errors.Join(<-side, <-side); err != nil {
		return err
	}
	return c.display.Run("waiting until the node is ready and names resolve", func() error { return c.waitReady(ctx) })
}

func (c *Cluster) prepare() error {
	for _, folder := range []string{c.Path("run"), c.Path("volumes"), c.Logs()} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	if err := c.keepLogs(); err != nil {
		return err
	}
	for _, work := range []func() error{
		func() error { return sweep.SaveSysctls(c.Settings) },
		func() error { return sweep.AddAddress(c.Settings) },
		c.checkPorts,
		func() error { return process.PrepareShadows(c.Settings) },
		c.writeKeys, c.writeFiles, makeCgroups,
		func() error { return sweep.MarkProxy(c.Settings) },
		func() error { return command("nft", "-f", c.Path("nat.nft")) },
		func() error { return gitea.Prepare(c.Settings, c.tools.Gitea) },
	} {
		if err := work(); err != nil {
			return err
		}
	}
	return nil
}

// keepLogs moves the logs of the run before this one into a folder of their own.
func (c *Cluster) keepLogs() error {
	previous := filepath.Join(c.Logs(), "previous")
	if err := os.RemoveAll(previous); err != nil {
		return err
	}
	logs, err := filepath.Glob(filepath.Join(c.Logs(), "*.log"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(previous, 0o755); err != nil {
		return err
	}
	for _, log := range logs {
		if err := os.Rename(log, filepath.Join(previous, filepath.Base(log))); err != nil {
			return err
		}
	}
	return nil
}

// makeCgroups makes the group that all pods' groups are in: one, or one per controller with version 1.
func makeCgroups() error {
	const root = "/sys/fs/cgroup"
	if _, err := os.Stat(filepath.Join(root, "cgroup.controllers")); err == nil {
		return os.MkdirAll(filepath.Join(root, process.CgroupRoot), 0o755)
	}
	controllers, err := os.ReadDir(root)
	if err != nil {
		return err
	}
	for _, controller := range controllers {
		// Links such as cpu,cpuacct lead to a folder that is listed too.
		if controller.IsDir() {
			if err := os.MkdirAll(filepath.Join(root, controller.Name(), process.CgroupRoot), 0o755); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Cluster) startBase(ctx context.Context) error {
	for _, name := range []string{etcd, apiserver, registry, containerd} {
		if err := c.start(c.spec(name)); err != nil {
			return err
		}
	}
	if err := c.start(gitea.Spec(c.Settings)); err != nil {
		return err
	}
	return c.wait(ctx, apiserver, c.apiserverReady)
}

func (c *Cluster) startNode(ctx context.Context) error {
	if err := c.wait(ctx, containerd, c.containerdReady); err != nil {
		return err
	}
	node, err := c.kubelet()
	if err != nil {
		return err
	}
	if err := c.start(node); err != nil {
		return err
	}
	for _, name := range []string{manager, scheduler, proxy} {
		if err := c.start(c.spec(name)); err != nil {
			return err
		}
	}
	if err := command(filepath.Join(c.tools.Kube, "kubectl"), "--kubeconfig="+c.Kubeconfig(), "apply", "--server-side", "--filename="+c.Path("manifests.yaml")); err != nil {
		return err
	}
	for _, name := range []string{coredns, agent} {
		if err := c.start(c.spec(name)); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) start(spec process.Spec) error {
	running, err := process.Start(c.Settings, spec)
	if err != nil {
		return err
	}
	c.started = append(c.started, running)
	return nil
}

func command(program string, args ...string) error {
	text, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w\n%s", filepath.Base(program), args[0], err, text)
	}
	return nil
}
