package localpath

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

func claim(change func(*corev1.PersistentVolumeClaim)) *corev1.PersistentVolumeClaim {
	class := Class
	c := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: "data", Namespace: "shop", UID: "u1", Annotations: map[string]string{selectedNode: "n"}},
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: &class, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
	}
	change(c)
	return c
}

func TestOnlyAnUnboundClaimOfOurClassOnOurNodeIsServed(t *testing.T) {
	other := "fast"
	for _, c := range []struct {
		why    string
		change func(*corev1.PersistentVolumeClaim)
		want   bool
	}{
		{"ready to be served", func(*corev1.PersistentVolumeClaim) {}, true},
		{"no pod is scheduled yet", func(c *corev1.PersistentVolumeClaim) { c.Annotations = nil }, false},
		{"another node", func(c *corev1.PersistentVolumeClaim) { c.Annotations[selectedNode] = "fake-1" }, false},
		{"another class", func(c *corev1.PersistentVolumeClaim) { c.Spec.StorageClassName = &other }, false},
		{"bound", func(c *corev1.PersistentVolumeClaim) { c.Spec.VolumeName = "v" }, false},
		{"being deleted", func(c *corev1.PersistentVolumeClaim) { now := metav1.Now(); c.DeletionTimestamp = &now }, false},
	} {
		if got := Wants(claim(c.change), "n"); got != c.want {
			t.Errorf("%s: %v", c.why, got)
		}
	}
}

func TestAFolderComesWithTheVolumeAndGoesWithTheClaim(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	folder := t.TempDir()
	client := fake.NewClientset(claim(func(*corev1.PersistentVolumeClaim) {}))
	// The fake client forgets what happens between an informer's list and its watch; a real API server does not.
	watched := make(chan struct{}, 8)
	client.PrependWatchReactor("*", func(action clienttesting.Action) (bool, watch.Interface, error) {
		w, err := client.Tracker().Watch(action.GetResource(), action.GetNamespace())
		watched <- struct{}{}
		return true, w, err
	})
	factory := informers.NewSharedInformerFactory(client, 0)
	controller, err := New(client, factory, folder, "n")
	if err != nil {
		t.Fatal(err)
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	<-watched // claims and volumes
	<-watched
	go controller.Run(ctx)
	path := filepath.Join(folder, "pvc-u1")
	eventually(t, "the folder is open to every user", func() bool {
		info, err := os.Stat(path)
		return err == nil && info.Mode().Perm() == 0o777
	})
	volumes := client.CoreV1().PersistentVolumes()
	eventually(t, "the volume is made", func() bool {
		_, err := volumes.Get(ctx, "pvc-u1", metav1.GetOptions{})
		return err == nil
	})
	// The claim goes first, as in a cluster: one that is still there, unbound, would get its folder again.
	if err := client.CoreV1().PersistentVolumeClaims("shop").Delete(ctx, "data", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the claim's end is noticed", func() bool {
		claims, err := controller.claims.List(labels.Everything())
		return err == nil && len(claims) == 0
	})
	eventually(t, "the volume exists", func() bool {
		volume, err := volumes.Get(ctx, "pvc-u1", metav1.GetOptions{})
		if err != nil {
			return false
		}
		volume.Status.Phase = corev1.VolumeReleased
		_, err = volumes.Update(ctx, volume, metav1.UpdateOptions{})
		return err == nil && volume.Spec.ClaimRef.UID == "u1" && volume.Spec.Local.Path == path
	})
	eventually(t, "the folder is gone", func() bool {
		_, err := os.Stat(path)
		return os.IsNotExist(err)
	})
}

func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if check() {
			return
		}
	}
	t.Errorf("never: %s", what)
}
