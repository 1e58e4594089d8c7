// Package netpolicy enforces the cluster's NetworkPolicies on its one node. Pods, namespaces and policies go in; what
// each isolated pod may receive and send comes out as plain data (Translate), and that becomes an nftables table (Render).
//
// Traffic between the node and a pod is never filtered on its way to the pod, so probes work, as Kubernetes wants it.
package netpolicy

import (
	"cmp"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// World is what the decision needs.
type World struct {
	Pods       []*corev1.Pod
	Namespaces []*corev1.Namespace
	Policies   []*networkingv1.NetworkPolicy
}

// Pod is one isolated pod and what it is allowed.
type Pod struct {
	// Name is "namespace/name", for people who read the table.
	Name string
	IP   netip.Addr
	// Ingress and Egress are nil where the pod is not isolated, and empty where nothing is allowed.
	Ingress, Egress *[]Allow
}

// Allow lets traffic with these peers and ports pass.
type Allow struct {
	// AnyPeer allows every address; otherwise it is one of Pods, or one inside Block and in none of Except.
	AnyPeer bool
	Pods    []netip.Addr
	Block   netip.Prefix
	Except  []netip.Prefix
	// Ports is empty for all ports of all protocols.
	Ports []Port
}

// Port is a range of ports of one protocol: tcp, udp or sctp. From 0 means all ports.
type Port struct {
	Protocol string
	From, To int32
}

// Translate works out what every isolated pod is allowed, in the order of names.
func Translate(world World) []Pod {
	namespaces := map[string]labels.Set{}
	for _, namespace := range world.Namespaces {
		namespaces[namespace.Name] = namespace.Labels
	}
	var isolated []Pod
	for _, pod := range world.Pods {
		address, ok := podAddress(pod)
		if !ok {
			continue
		}
		one := Pod{Name: pod.Namespace + "/" + pod.Name, IP: address}
		for _, policy := range world.Policies {
			if policy.Namespace != pod.Namespace || !matches(&policy.Spec.PodSelector, pod.Labels) {
				continue
			}
			scope := scope{world.Pods, namespaces, policy.Namespace}
			if affects(policy, networkingv1.PolicyTypeIngress) {
				for _, rule := range policy.Spec.Ingress {
					extend(&one.Ingress, scope.allow(rule.From, rule.Ports, pod))
				}
				extend(&one.Ingress, nil)
			}
			if affects(policy, networkingv1.PolicyTypeEgress) {
				for _, rule := range policy.Spec.Egress {
					extend(&one.Egress, scope.allow(rule.To, rule.Ports, nil))
				}
				extend(&one.Egress, nil)
			}
		}
		if one.Ingress != nil || one.Egress != nil {
			isolated = append(isolated, one)
		}
	}
	slices.SortFunc(isolated, func(a, b Pod) int { return cmp.Compare(a.Name, b.Name) })
	return isolated
}

// extend isolates a direction and adds to what it allows.
func extend(allowed **[]Allow, more []Allow) {
	if *allowed == nil {
		*allowed = &[]Allow{}
	}
	**allowed = append(**allowed, more...)
}

// podAddress is the address of a pod that has one of its own and still runs.
func podAddress(pod *corev1.Pod) (netip.Addr, bool) {
	if pod.Spec.HostNetwork || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return netip.Addr{}, false
	}
	address, err := netip.ParseAddr(pod.Status.PodIP)
	return address, err == nil && address.Is4()
}

// affects follows the API's defaults: ingress always, egress where there are rules for it.
func affects(policy *networkingv1.NetworkPolicy, direction networkingv1.PolicyType) bool {
	if len(policy.Spec.PolicyTypes) > 0 {
		return slices.Contains(policy.Spec.PolicyTypes, direction)
	}
	return direction == networkingv1.PolicyTypeIngress || len(policy.Spec.Egress) > 0
}

// matches says whether a selector selects; a selector that cannot be read selects nothing.
func matches(selector *metav1.LabelSelector, of labels.Set) bool {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(of)
}
