// Command kpa prints the decisions of Knative's real autoscaler on a set of inputs, as CSV.
//
// The simulator's re-implementation (autoscale/sim/src/peers/kpa.rs) is tested against what this prints:
//
//	cd e2e/kpa && go run . > ../../autoscale/tests/vectors/kpa.csv
//
// Every run is a decider of its own. Between two ticks of 2 s the ready pods move towards the last decision, as a
// cluster with cold starts would.
package main

import (
	"context"
	"fmt"
	"math"
	"math/rand"
	"os"
	"time"

	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/serving/pkg/autoscaler/scaling"
)

// signals is a metric client that returns what it is told.
type signals struct{ stable, panic float64 }

func (s *signals) StableAndPanicConcurrency(types.NamespacedName, time.Time) (float64, float64, error) {
	return s.stable, s.panic, nil
}

func (s *signals) StableAndPanicRPS(types.NamespacedName, time.Time) (float64, float64, error) {
	return s.stable, s.panic, nil
}

// pods counts ready pods.
type pods struct{ ready int }

func (p *pods) ReadyCount() (int, error)    { return p.ready, nil }
func (p *pods) NotReadyCount() (int, error) { return 0, nil }

// concurrency is the load of a run at a second: a level with bursts, different for each run.
func concurrency(random *rand.Rand, run int, second int) float64 {
	level := 5 * float64(run+1)
	switch {
	case second%400 > 300:
		level *= float64(2 + run%9)
	case second%230 < 20:
		level *= 0.2
	}
	return level * (0.7 + 0.6*random.Float64())
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / math.Max(1, float64(len(values)))
}

func simulate(run int) {
	random := rand.New(rand.NewSource(int64(run)))
	target := []float64{0.7, 2.8, 7, 70}[run%4]
	spec := &scaling.DeciderSpec{
		ScalingMetric: "concurrency", TargetValue: target, TotalValue: target / 0.7, TargetBurstCapacity: 211,
		PanicThreshold: 2, MaxScaleUpRate: 1000, MaxScaleDownRate: 2, StableWindow: time.Minute, Reachable: true,
	}
	client, counter := &signals{}, &pods{ready: 1}
	decider := scaling.New(context.Background(), "ns", "rev", client, counter, spec)
	start := time.Unix(1_700_000_000, 0)
	history := []float64{}
	for second := 0; second < 800; second += 2 {
		for i := 0; i < 2; i++ {
			history = append(history, concurrency(random, run, second+i))
		}
		if len(history) > 60 {
			history = history[len(history)-60:]
		}
		client.stable, client.panic = mean(history), mean(history[max(0, len(history)-6):])
		result := decider.Scale(zap.NewNop().Sugar(), start.Add(time.Duration(second)*time.Second))
		if !result.ScaleValid {
			fmt.Fprintln(os.Stderr, "no valid scale in run", run, "at", second)
			os.Exit(1)
		}
		fmt.Printf("%d,%d,%d,%v,%v,%v,%d\n",
			run, second, counter.ready, client.stable, client.panic, target, result.DesiredPodCount)
		if want := int(result.DesiredPodCount); want > counter.ready && second%6 == 0 {
			counter.ready += max(1, (want-counter.ready)/2)
		} else if want < counter.ready {
			counter.ready = want
		}
	}
}

func main() {
	fmt.Println("run,second,ready,stable,panic,target,desired")
	for run := 0; run < 8; run++ {
		simulate(run)
	}
}
