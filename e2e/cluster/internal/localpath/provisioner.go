// Package localpath gives claims of the class "local-path" a folder of the node, and takes it away again.
package localpath

import (
	"context"
	"errors"
	"log"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
)

// Class is the storage class, Provisioner the name by which it asks for us.
const (
	Class       = "local-path"
	Provisioner = "keelway.dev/local-path"
	// selectedNode is where the scheduler wants the claim's first pod to run.
	selectedNode  = "volume.kubernetes.io/selected-node"
	provisionedBy = "pv.kubernetes.io/provisioned-by"
)

// again is how soon a pass that failed is repeated.
const again = 2 * time.Second

// Controller makes and deletes volumes.
type Controller struct {
	client       kubernetes.Interface
	claims       listers.PersistentVolumeClaimLister
	volumes      listers.PersistentVolumeLister
	folder, node string
	wake         chan struct{}
}

// New registers with the informers; folder will hold one folder per volume, node is the name of the only node with them.
func New(client kubernetes.Interface, factory informers.SharedInformerFactory, folder, node string) (*Controller, error) {
	claims, volumes := factory.Core().V1().PersistentVolumeClaims(), factory.Core().V1().PersistentVolumes()
	c := &Controller{client: client, claims: claims.Lister(), volumes: volumes.Lister(), folder: folder, node: node, wake: make(chan struct{}, 1)}
	for _, informer := range []cache.SharedIndexInformer{claims.Informer(), volumes.Informer()} {
		if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { c.look() }, UpdateFunc: func(any, any) { c.look() }, DeleteFunc: func(any) { c.look() },
		}); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *Controller) look() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Run works until the context ends; the informers must have synced.
func (c *Controller) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		}
		if err := c.pass(ctx); err != nil {
			log.Printf("volumes: %v; trying again in %s", err, again)
			time.AfterFunc(again, c.look)
		}
	}
}

func (c *Controller) pass(ctx context.Context) error {
	claims, err := c.claims.List(labels.Everything())
	if err != nil {
		return err
	}
	volumes, err := c.volumes.List(labels.Everything())
	if err != nil {
		return err
	}
	var problems []error
	for _, claim := range claims {
		if Wants(claim, c.node) {
			problems = append(problems, c.provision(ctx, claim))
		}
	}
	for _, volume := range volumes {
		if Done(volume) {
			problems = append(problems, c.remove(ctx, volume))
		}
	}
	return errors.Join(problems...)
}

// Wants says whether a claim is to get a volume on that node now.
func Wants(claim *corev1.PersistentVolumeClaim, node string) bool {
	class := claim.Spec.StorageClassName
	return class != nil && *class == Class && claim.Spec.VolumeName == "" && claim.DeletionTimestamp == nil &&
		claim.Annotations[selectedNode] == node
}

// Done says whether a volume of ours has lost its claim and is to go.
func Done(volume *corev1.PersistentVolume) bool {
	return volume.Annotations[provisionedBy] == Provisioner && volume.Status.Phase == corev1.VolumeReleased &&
		volume.Spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimDelete && volume.DeletionTimestamp == nil
}

// Volume is what a claim gets: a folder that only this node has.
func Volume(claim *corev1.PersistentVolumeClaim, folder, node string) *corev1.PersistentVolume {
	name := "pvc-" + string(claim.UID)
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{provisionedBy: Provisioner}},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage]},
			AccessModes:                   claim.Spec.AccessModes,
			StorageClassName:              Class,
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
			VolumeMode:                    claim.Spec.VolumeMode,
			ClaimRef: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
			},
			PersistentVolumeSource: corev1.PersistentVolumeSource{Local: &corev1.LocalVolumeSource{Path: filepath.Join(folder, name)}},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchExpressions: []corev1.NodeSelectorRequirement{{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{node}}},
			}}}},
		},
	}
}

func (c *Controller) provision(ctx context.Context, claim *corev1.PersistentVolumeClaim) error {
	volume := Volume(claim, c.folder, c.node)
	if _, err := c.volumes.Get(volume.Name); err == nil {
		return nil
	}
	path := volume.Spec.Local.Path
	if err := os.MkdirAll(path, 0o777); err != nil {
		return err
	}
	// Pods run as any user; the mode is not cut down by our umask.
	if err := os.Chmod(path, 0o777); err != nil {
		return err
	}
	_, err := c.client.CoreV1().PersistentVolumes().Create(ctx, volume, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

func (c *Controller) remove(ctx context.Context, volume *corev1.PersistentVolume) error {
	if volume.Spec.Local == nil || filepath.Dir(volume.Spec.Local.Path) != c.folder {
		return nil
	}
	if err := os.RemoveAll(volume.Spec.Local.Path); err != nil {
		return err
	}
	err := c.client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &volume.UID}})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
