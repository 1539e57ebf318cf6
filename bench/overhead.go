package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/contrib/exporters/autoexport"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/videocloud/webhooks/sender"
)

func init() {
	benchmarks["overhead"] = benchmark{"CPU time with metrics and tracing on (1 % sampled) beside none", 20_000, 32, benchOverhead}
}

// sampled is what makes every process that is observed trace one event in a hundred.
var sampled = map[string]string{
	"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.01", "OTEL_TRACES_EXPORTER": "otlp",
	"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_SERVICE_NAME": "bench",
}

// observing gives a sender the metrics and the tracer that it has in Caddy.
func observing(ctx context.Context, on bool) (change func(*sender.Options), end func(), err error) {
	if !on {
		return func(*sender.Options) {}, func() {}, nil
	}
	exporter, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		return nil, nil, err
	}
	tracer := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter)) // the sampler is in the environment
	counts := &counts{
		attempts:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "attempts"}, []string{"outcome"}),
		took:       prometheus.NewHistogram(prometheus.HistogramOpts{Name: "took"}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "deliveries"}, []string{"state"}),
	}
	end = func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = tracer.Shutdown(last)
	}
	return func(o *sender.Options) { o.Observer, o.TracerProvider = counts, tracer }, end, nil
}

// counts counts as Caddy's module does.
type counts struct {
	attempts, deliveries *prometheus.CounterVec
	took                 prometheus.Histogram
}

func (c *counts) Attempt(outcome string, took time.Duration) {
	c.attempts.WithLabelValues(outcome).Inc()
	c.took.Observe(took.Seconds())
}
func (c *counts) Delivery(state sender.State) { c.deliveries.WithLabelValues(string(state)).Inc() }
func (*counts) StoreError(string)             {}

// observable are a gateway and, as Caddy's own share, a plain proxy, each without anything and with everything.
var observable = []phase{
	{name: "proxy", site: "reverse_proxy $app", app: all},
	{name: "proxy_observed", webhooks: "metrics", site: "tracing\nreverse_proxy $app", app: all},
	{name: "receiver", webhooks: inMemory, site: fmt.Sprintf(benchReceiverBlock, "") + "reverse_proxy $app", app: all},
	{name: "receiver_observed", webhooks: "metrics\n" + inMemory, site: "tracing\n" + fmt.Sprintf(benchReceiverBlock, "") + "reverse_proxy $app", app: all},
}

func benchOverhead(ctx context.Context, o options) (*figures, error) {
	collector, addr, err := startSink(ctx, sinkSettings{})
	if err != nil {
		return nil, err
	}
	defer collector.stop()
	for name, value := range sampled {
		_ = os.Setenv(name, value) // for the processes started below
	}
	_ = os.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+addr)

	b, err := openReceiverBench(ctx, o)
	if err != nil {
		return nil, err
	}
	defer b.close()

	cpus := map[string][]float64{}
	for round := range o.rounds {
		for i := range observable {
			p := &observable[(i+round)%len(observable)]
			_, us, _, err := b.run(ctx, p)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, err)
			}
			cpus[p.name] = append(cpus[p.name], us)
		}
		for i := range 2 {
			name, oo := "sender", o
			if oo.observed = (i+round)%2 == 1; oo.observed {
				name = "sender_observed"
			}
			used, _, _, err := roundSender(ctx, oo, b.app, b.addr)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			cpus[name] = append(cpus[name], used.CPUMS*1000/float64(o.n))
		}
		progress("round %d of %d, µs of CPU time: sender %.1f, observed %.1f; receiver %.1f, observed %.1f; proxy %.1f, observed %.1f", round+1, o.rounds,
			cpus["sender"][round], cpus["sender_observed"][round], cpus["receiver"][round], cpus["receiver_observed"][round], cpus["proxy"][round], cpus["proxy_observed"][round])
	}
	// more is what observing costs, of pairs of one round.
	more := func(name string, less string) float64 {
		var parts []float64
		for i, plain := range cpus[name] {
			extra := cpus[name+"_observed"][i] - plain
			if less != "" {
				extra -= cpus[less+"_observed"][i] - cpus[less][i]
			}
			parts = append(parts, extra/plain)
		}
		return round3(median(parts))
	}
	f := &figures{}
	for _, name := range []string{"sender", "receiver", "proxy"} {
		f.add(name+"_cpu_us", round3(median(cpus[name])))
		f.add(name+"_observed_cpu_us", round3(median(cpus[name+"_observed"])))
	}
	f.add("sender_overhead", more("sender", ""))
	f.add("receiver_overhead", more("receiver", ""))
	f.add("receiver_overhead_own", more("receiver", "proxy")) // without what Caddy's own metrics and tracing cost
	return f, nil
}
