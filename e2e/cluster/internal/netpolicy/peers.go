package netpolicy

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// scope is where a policy looks for its peers.
type scope struct {
	pods       []*corev1.Pod
	namespaces map[string]labels.Set
	namespace  string
}

// allow translates one rule. A port's name is looked up in the pods that receive: target for ingress, else each peer.
func (s scope) allow(peers []networkingv1.NetworkPolicyPeer, ports []networkingv1.NetworkPolicyPort, target *corev1.Pod) []Allow {
	if len(peers) == 0 {
		if resolved, some := resolve(ports, target); some {
			return []Allow{{AnyPeer: true, Ports: resolved}}
		}
		return nil
	}
	var allowed []Allow
	for _, peer := range peers {
		if peer.IPBlock != nil {
			if block, ok := s.block(peer.IPBlock); ok {
				if resolved, some := resolve(ports, target); some {
					block.Ports = resolved
					allowed = append(allowed, block)
				}
			}
			continue
		}
		allowed = append(allowed, s.podPeers(peer, ports, target)...)
	}
	return allowed
}

func (s scope) block(block *networkingv1.IPBlock) (Allow, bool) {
	prefix, err := netip.ParsePrefix(block.CIDR)
	if err != nil || !prefix.Addr().Is4() {
		return Allow{}, false
	}
	allow := Allow{Block: prefix.Masked()}
	for _, text := range block.Except {
		if except, err := netip.ParsePrefix(text); err == nil && except.Addr().Is4() {
			allow.Except = append(allow.Except, except.Masked())
		}
	}
	return allow, true
}

// podPeers groups the selected pods by the ports that they end up with, which differ only where ports have names.
func (s scope) podPeers(peer networkingv1.NetworkPolicyPeer, ports []networkingv1.NetworkPolicyPort, target *corev1.Pod) []Allow {
	var groups []Allow
	for _, pod := range s.pods {
		address, ok := podAddress(pod)
		if !ok || !s.selects(peer, pod) {
			continue
		}
		receiver := target
		if receiver == nil {
			receiver = pod
		}
		resolved, some := resolve(ports, receiver)
		if !some {
			continue
		}
		at := slices.IndexFunc(groups, func(group Allow) bool { return slices.Equal(group.Ports, resolved) })
		if at < 0 {
			groups, at = append(groups, Allow{Ports: resolved}), len(groups)
		}
		groups[at].Pods = append(groups[at].Pods, address)
	}
	for _, group := range groups {
		slices.SortFunc(group.Pods, netip.Addr.Compare)
	}
	return groups
}

func (s scope) selects(peer networkingv1.NetworkPolicyPeer, pod *corev1.Pod) bool {
	if peer.NamespaceSelector == nil {
		if pod.Namespace != s.namespace {
			return false
		}
	} else if !matches(peer.NamespaceSelector, s.namespaces[pod.Namespace]) {
		return false
	}
	return peer.PodSelector == nil || matches(peer.PodSelector, pod.Labels)
}

// resolve turns ports into numbers. It is false when ports were asked for and the receiver has none of them.
func resolve(ports []networkingv1.NetworkPolicyPort, receiver *corev1.Pod) ([]Port, bool) {
	var resolved []Port
	for _, port := range ports {
		protocol := corev1.ProtocolTCP
		if port.Protocol != nil {
			protocol = *port.Protocol
		}
		one := Port{Protocol: strings.ToLower(string(protocol))}
		switch {
		case port.Port == nil:
		case port.Port.Type == intstr.Int:
			one.From, one.To = port.Port.IntVal, port.Port.IntVal
			if port.EndPort != nil {
				one.To = *port.EndPort
			}
		default:
			number := named(receiver, port.Port.StrVal, protocol)
			if number == 0 {
				continue
			}
			one.From, one.To = number, number
		}
		resolved = append(resolved, one)
	}
	slices.SortFunc(resolved, func(a, b Port) int {
		return cmp.Or(cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	return slices.Compact(resolved), len(ports) == 0 || len(resolved) > 0
}

// named is the number of a container port of that name, 0 if there is none.
func named(pod *corev1.Pod, name string, protocol corev1.Protocol) int32 {
	if pod == nil {
		return 0
	}
	for _, container := range pod.Spec.Containers {
		for _, port := range container.Ports {
			if port.Name == name && cmp.Or(port.Protocol, corev1.ProtocolTCP) == protocol {
				return port.ContainerPort
			}
		}
	}
	return 0
}
