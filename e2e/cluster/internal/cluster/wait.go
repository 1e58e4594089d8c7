package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"keelway.dev/e2e/cluster/internal/gitea"
)

// wait asks until ready says yes. A component that ended meanwhile, or the deadline, ends the wait with its log's end.
func (c *Cluster) wait(ctx context.Context, name string, ready func(context.Context) error) error {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		for _, running := range c.started {
			select {
			case <-running.Exited:
				return c.explain(running.Spec.Name, fmt.Errorf("ended while the cluster was starting: %w", exit(running.Err)))
			default:
			}
		}
		select {
		case <-ctx.Done():
			return c.explain(name, fmt.Errorf("did not become ready: %w", err))
		case <-ticker.C:
		}
	}
}

func exit(err error) error {
	if err == nil {
		return errors.New("without an error")
	}
	return err
}

func (c *Cluster) containerdReady(ctx context.Context) error {
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "unix", c.Path("containerd", "containerd.sock"))
	if err != nil {
		return err
	}
	return connection.Close()
}

// Client speaks to the API server as the administrator.
func (c *Cluster) Client() (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = 200, 200
	return kubernetes.NewForConfig(config)
}

func (c *Cluster) waitReady(ctx context.Context) error {
	client, err := c.Client()
	if err != nil {
		return err
	}
	if err := c.wait(ctx, kubelet, func(ctx context.Context) error { return c.nodeReady(ctx, client) }); err != nil {
		return err
	}
	if err := c.wait(ctx, manager, func(ctx context.Context) error {
		_, err := client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
		return err
	}); err != nil {
		return err
	}
	if err := c.wait(ctx, agent, func(ctx context.Context) error {
		return get(ctx, http.DefaultClient, "http://"+c.Addr("agent")+"/readyz")
	}); err != nil {
		return err
	}
	if err := c.wait(ctx, proxy, func(ctx context.Context) error {
		return get(ctx, http.DefaultClient, "http://"+c.Addr("proxy_health")+"/healthz")
	}); err != nil {
		return err
	}
	return c.wait(ctx, coredns, c.resolves)
}

func (c *Cluster) nodeReady(ctx context.Context, client *kubernetes.Clientset) error {
	node, err := client.CoreV1().Nodes().Get(ctx, c.NodeName, metav1.GetOptions{})
	if err != nil {
		return err
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			if condition.Status == corev1.ConditionTrue {
				return nil
			}
			return fmt.Errorf("the node is not ready: %s", condition.Message)
		}
	}
	return errors.New("the kubelet has not reported yet")
}

// resolves asks the cluster DNS as a pod would, through its Service: this proves kube-proxy and CoreDNS at once.
func (c *Cluster) resolves(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "tcp", net.JoinHostPort(c.DNSIP.String(), "53"))
	}}
	addresses, err := resolver.LookupHost(ctx, "kubernetes.default.svc.cluster.local.")
	if err != nil {
		return err
	}
	if len(addresses) != 1 || addresses[0] != c.ServiceIP().String() {
		return fmt.Errorf("kubernetes.default resolves to %v, not %s", addresses, c.ServiceIP())
	}
	return nil
}

func (c *Cluster) setUpGitea(ctx context.Context) error {
	client, err := gitea.NewClient(c.Settings)
	if err != nil {
		return err
	}
	if err := c.wait(ctx, giteaName, client.Ready); err != nil {
		return err
	}
	if err := gitea.CreateAdmin(c.Settings); err != nil {
		return c.explain(giteaName, err)
	}
	return nil
}

// checkPorts fails when somebody else listens where we have to. The node's address must be there.
func (c *Cluster) checkPorts() error {
	var taken []string
	for name := range c.Ports {
		host := c.NodeIP.String()
		if strings.HasPrefix(name, "etcd") {
			host = "127.0.0.1"
		}
		listener, err := net.Listen("tcp4", fmt.Sprintf("%s:%d", host, c.Port(name)))
		if err != nil {
			taken = append(taken, fmt.Sprintf("KEELWAY_PORT_%s (%d)", strings.ToUpper(name), c.Port(name)))
			continue
		}
		listener.Close()
	}
	if len(taken) == 0 {
		return nil
	}
	sort.Strings(taken)
	return fmt.Errorf("ports are in use on this machine: %s; stop what listens there (see `ss -ltnp`) or set others", strings.Join(taken, ", "))
}

// Down ends the cluster; logs stay, everything else goes.
func (c *Cluster) Down() error {
	if os.Geteuid() != 0 {
		return errors.New("ending the cluster needs root; run it with sudo")
	}
	return c.display.Run("ending processes, removing pods, mounts, links, rules and state", func() error { return c.sweepLocked() })
}

func (c *Cluster) lockFile() string { return filepath.Join(c.Cache, "cluster.lock") }
