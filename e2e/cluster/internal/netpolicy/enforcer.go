package netpolicy

import (
	"context"
	"log"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"
	networkinglisters "k8s.io/client-go/listers/networking/v1"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/knftables"
)

const (
	// settle is how long a burst of changes is collected; again is when a failed write is repeated.
	settle = 20 * time.Millisecond
	again  = 2 * time.Second
)

// Enforcer keeps the table equal to what the policies say.
type Enforcer struct {
	pods       corelisters.PodLister
	namespaces corelisters.NamespaceLister
	policies   networkinglisters.NetworkPolicyLister
	table      knftables.Interface
	resident   []*corev1.Pod
	wake       chan struct{}
	last       string
}

// DNS stands for the cluster DNS, which here is a process of the node: policies that let pods talk to the pods labelled
// kube-dns, as is usual, mean this address.
func DNS(address netip.Addr, port int) *corev1.Pod {
	number := int32(port)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: "kube-dns", Labels: map[string]string{"k8s-app": "kube-dns"}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "coredns", Ports: []corev1.ContainerPort{
			{Name: "dns", ContainerPort: number, Protocol: corev1.ProtocolUDP}, {Name: "dns-tcp", ContainerPort: number, Protocol: corev1.ProtocolTCP},
		}}}},
		Status: corev1.PodStatus{PodIP: address.String(), Phase: corev1.PodRunning},
	}
}

// New registers with the informers; table is the nftables table to write, resident are peers beside the API's pods.
func New(factory informers.SharedInformerFactory, table knftables.Interface, resident ...*corev1.Pod) (*Enforcer, error) {
	pods, namespaces := factory.Core().V1().Pods(), factory.Core().V1().Namespaces()
	policies := factory.Networking().V1().NetworkPolicies()
	e := &Enforcer{
		pods: pods.Lister(), namespaces: namespaces.Lister(), policies: policies.Lister(), table: table, resident: resident,
		wake: make(chan struct{}, 1),
	}
	for _, informer := range []cache.SharedIndexInformer{pods.Informer(), namespaces.Informer(), policies.Informer()} {
		if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { e.look() }, UpdateFunc: func(any, any) { e.look() }, DeleteFunc: func(any) { e.look() },
		}); err != nil {
			return nil, err
		}
	}
	return e, nil
}

func (e *Enforcer) look() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// Run works until the context ends; the informers must have synced.
func (e *Enforcer) Run(ctx context.Context) {
	for e.look(); ; {
		select {
		case <-ctx.Done():
			return
		case <-e.wake:
		}
		time.Sleep(settle)
		if err := e.pass(ctx); err != nil {
			log.Printf("network policies: %v; trying again in %s", err, again)
			time.AfterFunc(again, e.look)
		}
	}
}

func (e *Enforcer) pass(ctx context.Context) error {
	var world World
	var err error
	if world.Pods, err = e.pods.List(labels.Everything()); err != nil {
		return err
	}
	// The list belongs to the cache: a new one.
	world.Pods = append(slices.Clone(e.resident), world.Pods...)
	if world.Namespaces, err = e.namespaces.List(labels.Everything()); err != nil {
		return err
	}
	if world.Policies, err = e.policies.List(labels.Everything()); err != nil {
		return err
	}
	tx := e.table.NewTransaction()
	Render(tx, Translate(world))
	text := tx.String()
	if text == e.last {
		return nil
	}
	if err := e.table.Run(ctx, tx); err != nil {
		return err
	}
	e.last = text
	return nil
}
