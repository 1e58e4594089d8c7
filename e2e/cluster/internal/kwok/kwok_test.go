package kwok

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestScalingKeepsRealNodesAndRemovesSurplusFakes(t *testing.T) {
	ctx := context.Background()
	client := fake.NewClientset(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "keelway"}}, Node(Name(0)), Node(Name(7)))
	if err := adjust(ctx, client, 2); err != nil {
		t.Fatal(err)
	}
	list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, node := range list.Items {
		names[node.Name] = true
	}
	if len(names) != 3 || !names["keelway"] || !names["fake-0"] || !names["fake-1"] {
		t.Errorf("%v", names)
	}
}

func TestAFakeNodeTakesOnlyPodsThatTolerateIt(t *testing.T) {
	taints := Node("fake-0").Spec.Taints
	if len(taints) != 1 || taints[0].Effect != corev1.TaintEffectNoSchedule {
		t.Errorf("%v", taints)
	}
}

func TestOnlyReadyNodesCount(t *testing.T) {
	nodes := []corev1.Node{*Node("a"), *Node("b")}
	nodes[0].Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	nodes[1].Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionFalse}}
	if got := ready(nodes); got != 1 {
		t.Error(got)
	}
}
