package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/knftables"

	"keelway.dev/e2e/cluster/internal/front"
	"keelway.dev/e2e/cluster/internal/localpath"
	"keelway.dev/e2e/cluster/internal/netpolicy"
	"keelway.dev/e2e/cluster/internal/settings"
	"keelway.dev/e2e/cluster/internal/sweep"
)

// runAgent is the node's own helper, a component that up starts: volumes, network policies, and the way from 127.0.0.1 to
// the router's node port.
func runAgent(ctx context.Context, s settings.Settings, args []string) error {
	flags := flag.NewFlagSet("agent", flag.ContinueOnError)
	flags.StringVar(&s.State, "state", s.State, "the state folder")
	kubeconfig := flags.String("kubeconfig", "", "how to reach the API server")
	if err := flags.Parse(args); err != nil {
		return errUsage
	}
	log.SetOutput(os.Stderr)
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 100, 200
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 10*time.Minute)
	volumes, err := localpath.New(client, factory, s.Path("volumes"), s.NodeName)
	if err != nil {
		return err
	}
	table, err := knftables.New(knftables.IPv4Family, sweep.PolicyTable)
	if err != nil {
		return err
	}
	policies, err := netpolicy.New(factory, table, netpolicy.DNS(s.NodeIP, s.Port("dns")))
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	go volumes.Run(ctx)
	go policies.Run(ctx)
	go front.Run(ctx, fmt.Sprintf("127.0.0.1:%d", s.Port("front")), s.Addr("front_node"))
	log.Print("the agent runs")
	return serveReady(ctx, s.Addr("agent"))
}

// serveReady answers /readyz until the context ends.
func serveReady(ctx context.Context, address string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	server := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		<-ctx.Done()
		server.Close()
	}()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		return err
	}
	return nil
}
