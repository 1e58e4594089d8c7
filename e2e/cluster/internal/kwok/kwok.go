// Package kwok adds nodes that exist only in the API, for tests of scale: pods on them are shown as running and use nothing.
package kwok

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"keelway.dev/e2e/cluster/internal/process"
	"keelway.dev/e2e/cluster/internal/settings"
)

const (
	// component names the process, its log and its pid file.
	component = "kwok"
	// mark is the annotation and the taint of a fake node. Pods that are to run there tolerate the taint.
	mark, marked = "kwok.x-k8s.io/node", "fake"
	// addresses are what fake pods show; nothing ever answers there.
	addresses = "10.245.0.0/16"
	// patience is how long the fake nodes get to become ready.
	patience = 60 * time.Second
)

// Scale makes exactly that many fake nodes, starting KWOK if need be; with 0 all go and KWOK ends. built is its folder.
func Scale(ctx context.Context, s settings.Settings, client kubernetes.Interface, built string, nodes int) error {
	if nodes > 0 && !process.Alive(s, component) {
		stages, err := stages(built)
		if err != nil {
			return err
		}
		if _, err := process.Start(s, process.Spec{Name: component, Argv: append([]string{
			filepath.Join(built, "kwok"),
			"--kubeconfig=" + s.Path("kubeconfigs", "keelway-kwok"),
			"--manage-nodes-with-annotation-selector=" + mark + "=" + marked,
			"--cidr=" + addresses,
			"--node-ip=" + s.NodeIP.String(),
			"--node-lease-duration-seconds=40",
			"--server-address=" + s.Addr("kwok"),
		}, stages...)}); err != nil {
			return err
		}
	}
	if err := adjust(ctx, client, nodes); err != nil {
		return err
	}
	if nodes == 0 {
		return process.Stop(s, component)
	}
	return wait(ctx, s, client, nodes)
}

// stages are the flags that name KWOK's own rules for nodes and pods: everything becomes ready at once.
func stages(built string) ([]string, error) {
	var flags []string
	for _, folder := range []string{"node/fast", "node/heartbeat-with-lease", "pod/fast"} {
		files, err := filepath.Glob(filepath.Join(built, "stage", folder, "*.yaml"))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			if filepath.Base(file) != "kustomization.yaml" {
				flags = append(flags, "--config="+file)
			}
		}
	}
	if len(flags) == 0 {
		return nil, fmt.Errorf("%s holds no stages; remove that folder, the next run builds it anew", built)
	}
	return flags, nil
}

// Name is the name of the n-th fake node, from 0.
func Name(n int) string { return fmt.Sprintf("fake-%d", n) }

func adjust(ctx context.Context, client kubernetes.Interface, nodes int) error {
	present, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{LabelSelector: "type=kwok"})
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for n := range nodes {
		wanted[Name(n)] = true
		if _, err := client.CoreV1().Nodes().Create(ctx, Node(Name(n)), metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	for _, node := range present.Items {
		if !wanted[node.Name] {
			if err := client.CoreV1().Nodes().Delete(ctx, node.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
				return err
			}
		}
	}
	return nil
}

// Node is a fake node: large, and closed to pods that do not tolerate its taint.
func Node(name string) *corev1.Node {
	capacity := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("32"), corev1.ResourceMemory: resource.MustParse("256Gi"), corev1.ResourcePods: resource.MustParse("1000"),
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Annotations: map[string]string{mark: marked, "node.alpha.kubernetes.io/ttl": "0"},
			Labels: map[string]string{
				"type": "kwok", corev1.LabelHostname: name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64",
			},
		},
		Spec:   corev1.NodeSpec{Taints: []corev1.Taint{{Key: mark, Value: marked, Effect: corev1.TaintEffectNoSchedule}}},
		Status: corev1.NodeStatus{Capacity: capacity, Allocatable: capacity},
	}
}

func wait(ctx context.Context, s settings.Settings, client kubernetes.Interface, nodes int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{LabelSelector: "type=kwok"})
		if err == nil && ready(list.Items) == nodes {
			return nil
		}
		if !process.Alive(s, component) {
			return fmt.Errorf("kwok ended:\n%s", process.Tail(s, component, 10))
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("the fake nodes did not become ready in %s; kwok's log is %s", patience, process.LogFile(s, component)), err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func ready(nodes []corev1.Node) int {
	count := 0
	for _, node := range nodes {
		for _, condition := range node.Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
				count++
			}
		}
	}
	return count
}
