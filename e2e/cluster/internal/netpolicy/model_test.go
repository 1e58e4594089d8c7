package netpolicy

import (
	"net/netip"
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

func pod(namespace, name, ip string, of map[string]string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: of},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Ports: []corev1.ContainerPort{
			{Name: "http", ContainerPort: 8000}, {Name: "dns", ContainerPort: 53, Protocol: corev1.ProtocolUDP},
		}}}},
		Status: corev1.PodStatus{PodIP: ip, Phase: corev1.PodRunning},
	}
}

// world has the pods shop/web, shop/db, ops/probe and a finished pod with the address of shop/web.
func world(t *testing.T, policies ...string) World {
	t.Helper()
	finished := pod("shop", "a-finished", "10.244.0.2", map[string]string{"app": "web"})
	finished.Status.Phase = corev1.PodSucceeded
	w := World{
		Pods: []*corev1.Pod{
			pod("shop", "web", "10.244.0.2", map[string]string{"app": "web"}),
			pod("shop", "db", "10.244.0.3", map[string]string{"app": "db"}),
			pod("ops", "probe", "10.244.0.4", map[string]string{"app": "probe"}),
			finished,
		},
		Namespaces: []*corev1.Namespace{
			{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{"team": "shop"}}},
			{ObjectMeta: metav1.ObjectMeta{Name: "ops", Labels: map[string]string{"team": "ops"}}},
		},
	}
	for _, text := range policies {
		policy := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "shop"}}
		if err := yaml.UnmarshalStrict([]byte(text), &policy.Spec); err != nil {
			t.Fatal(err)
		}
		w.Policies = append(w.Policies, policy)
	}
	return w
}

func addresses(texts ...string) []netip.Addr {
	var list []netip.Addr
	for _, text := range texts {
		list = append(list, netip.MustParseAddr(text))
	}
	return list
}

func tcp(number int32) []Port { return []Port{{"tcp", number, number}} }

const webOnly = "podSelector: {matchLabels: {app: web}}\n"

func TestTranslate(t *testing.T) {
	for _, c := range []struct {
		why             string
		policies        []string
		ingress, egress *[]Allow
	}{
		{"no rules mean nothing comes in, and egress is free", []string{webOnly}, &[]Allow{}, nil},
		{"default deny of both directions", []string{webOnly + "policyTypes: [Ingress, Egress]"}, &[]Allow{}, &[]Allow{}},
		{"an empty rule allows all", []string{webOnly + "ingress: [{}]"}, &[]Allow{{AnyPeer: true}}, nil},
		{"egress rules isolate egress too", []string{webOnly + "egress: [{ports: [{port: 53, protocol: UDP}]}]"},
			&[]Allow{}, &[]Allow{{AnyPeer: true, Ports: []Port{{"udp", 53, 53}}}}},
		{"pods of the own namespace", []string{webOnly + "ingress: [{from: [{podSelector: {}}], ports: [{port: 80}]}]"},
			&[]Allow{{Pods: addresses("10.244.0.2", "10.244.0.3"), Ports: tcp(80)}}, nil},
		{"pods of another namespace", []string{webOnly + "ingress: [{from: [{namespaceSelector: {matchLabels: {team: ops}}}]}]"},
			&[]Allow{{Pods: addresses("10.244.0.4")}}, nil},
		{"both selectors must match", []string{webOnly + "ingress: [{from: [{namespaceSelector: {matchLabels: {team: ops}}, podSelector: {matchLabels: {app: db}}}]}]"},
			&[]Allow{}, nil},
		{"a named port of the receiving pod", []string{webOnly + "ingress: [{ports: [{port: http}]}]"},
			&[]Allow{{AnyPeer: true, Ports: tcp(8000)}}, nil},
		{"a name of another protocol is no match", []string{webOnly + "ingress: [{ports: [{port: dns}]}]"}, &[]Allow{}, nil},
		{"a named port of the peers", []string{webOnly + "policyTypes: [Egress]\negress: [{to: [{podSelector: {matchLabels: {app: db}}}], ports: [{port: http}]}]"},
			nil, &[]Allow{{Pods: addresses("10.244.0.3"), Ports: tcp(8000)}}},
		{"a block with an exception and a range", []string{webOnly + "policyTypes: [Egress]\negress: [{to: [{ipBlock: {cidr: 10.1.2.3/8, except: [10.244.0.0/16]}}], ports: [{port: 1000, endPort: 2000}]}]"},
			nil, &[]Allow{{Block: netip.MustParsePrefix("10.0.0.0/8"), Except: []netip.Prefix{netip.MustParsePrefix("10.244.0.0/16")}, Ports: []Port{{"tcp", 1000, 2000}}}}},
		{"an IPv6 block allows nothing here", []string{webOnly + "policyTypes: [Egress]\negress: [{to: [{ipBlock: {cidr: '::/0'}}]}]"}, nil, &[]Allow{}},
		{"policies add up", []string{webOnly, webOnly + "ingress: [{ports: [{port: 80}]}]"}, &[]Allow{{AnyPeer: true, Ports: tcp(80)}}, nil},
	} {
		t.Run(c.why, func(t *testing.T) {
			want := []Pod{{Name: "shop/web", IP: netip.MustParseAddr("10.244.0.2"), Ingress: c.ingress, Egress: c.egress}}
			if got := Translate(world(t, c.policies...)); !reflect.DeepEqual(got, want) {
				t.Errorf("\n got %+v %v %v\nwant %+v %v %v", got, deref(got[0].Ingress), deref(got[0].Egress), want, deref(c.ingress), deref(c.egress))
			}
		})
	}
}

func deref(list *[]Allow) []Allow {
	if list == nil {
		return nil
	}
	return *list
}

func TestAPolicyOfOneNamespaceLeavesOthersAlone(t *testing.T) {
	w := world(t, "podSelector: {}")
	var names []string
	for _, one := range Translate(w) {
		names = append(names, one.Name)
	}
	if !reflect.DeepEqual(names, []string{"shop/db", "shop/web"}) {
		t.Errorf("isolated: %v", names)
	}
}

func TestWithoutPoliciesNobodyIsIsolated(t *testing.T) {
	if got := Translate(world(t)); got != nil {
		t.Errorf("%v", got)
	}
}

func TestAPodOnTheNodesNetworkIsNoPeerAndNoTarget(t *testing.T) {
	w := world(t, "podSelector: {}\ningress: [{from: [{podSelector: {}}]}]")
	for _, one := range w.Pods {
		one.Spec.HostNetwork = true
	}
	if got := Translate(w); got != nil {
		t.Errorf("%v", got)
	}
}

func TestTheNodesOwnDNSIsFoundByTheUsualLabel(t *testing.T) {
	w := world(t, webOnly+`policyTypes: [Egress]
egress:
  - to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}, podSelector: {matchLabels: {k8s-app: kube-dns}}}]
    ports: [{port: 53, protocol: UDP}]
`)
	w.Pods = append(w.Pods, DNS(netip.MustParseAddr("10.88.0.1"), 53))
	w.Namespaces = append(w.Namespaces, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: "kube-system", Labels: map[string]string{"kubernetes.io/metadata.name": "kube-system"},
	}})
	got := Translate(w)
	want := []Allow{{Pods: addresses("10.88.0.1"), Ports: []Port{{"udp", 53, 53}}}}
	if len(got) != 1 || !reflect.DeepEqual(deref(got[0].Egress), want) {
		t.Errorf("%+v", got)
	}
}
