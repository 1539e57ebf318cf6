package main

import (
	"context"
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

// tracingVariables have every process that is observed trace one event in a hundred.
var tracingVariables = map[string]string{
	"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.01", "OTEL_TRACES_EXPORTER": "otlp",
	"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_SERVICE_NAME": "bench",
}

// newObserver gives a sender the metrics and the tracer that it has in Caddy, if it is to be observed. stop sends the last spans.
func newObserver(ctx context.Context, observed bool) (change func(*sender.Options), stop func(), err error) {
	if !observed {
		return func(*sender.Options) {}, func() {}, nil
	}
	exporter, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		return nil, nil, err
	}
	tracer := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter)) // the sampler is in the environment
	observer := &metricsObserver{
		attempts:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "attempts"}, []string{"outcome"}),
		durations:  prometheus.NewHistogram(prometheus.HistogramOpts{Name: "durations"}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "deliveries"}, []string{"state"}),
	}
	stop = func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = tracer.Shutdown(ctx)
	}
	return func(o *sender.Options) { o.Observer, o.TracerProvider = observer, tracer }, stop, nil
}

// metricsObserver counts as Caddy's module does.
type metricsObserver struct {
	attempts, deliveries *prometheus.CounterVec
	durations            prometheus.Histogram
}

func (m *metricsObserver) Attempt(outcome string, took time.Duration) {
	m.attempts.WithLabelValues(outcome).Inc()
	m.durations.Observe(took.Seconds())
}
func (m *metricsObserver) Delivery(state sender.State) {
	m.deliveries.WithLabelValues(string(state)).Inc()
}
func (*metricsObserver) StoreError(string) {}

// overheadPhases are a gateway and, as Caddy's own share, a plain proxy, each without anything and with metrics and tracing.
var overheadPhases = []phase{
	{name: "proxy", site: toApp},
	{name: "proxy_observed", webhooks: "metrics", site: "tracing\n" + toApp},
	{name: "receiver", webhooks: inMemory, site: receiverBlock("") + toApp},
	{name: "receiver_observed", webhooks: "metrics\n" + inMemory, site: "tracing\n" + receiverBlock("") + toApp},
}

func benchOverhead(ctx context.Context, o options) *figures {
	collector := must(startSink(ctx, sinkSettings{}))
	defer collector.stop()
	for name, value := range tracingVariables {
		_ = os.Setenv(name, value) // for the processes started below
	}
	_ = os.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+collector.addr)

	b := openReceiverBench(ctx, o)
	defer b.close()
	return o.eachRound(func(f *figures, round int) {
		us := map[string]float64{} // of CPU time
		for name, r := range b.runEach(ctx, overheadPhases, round) {
			us[name] = r.caddyUS
		}
		for i := range 2 {
			name, o := "sender", o
			if o.observed = (i+round)%2 == 1; o.observed {
				name = "sender_observed"
			}
			check(errorOf(func() { us[name] = roundSender(ctx, o, b.app).cpuUS(o.n) }), name)
		}
		extra := map[string]float64{} // what observing costs
		for _, name := range []string{"sender", "receiver", "proxy"} {
			extra[name] = us[name+"_observed"] - us[name]
			f.sample(name+"_cpu_us", us[name])
			f.sample(name+"_observed_cpu_us", us[name+"_observed"])
		}
		f.sample("sender_overhead", extra["sender"]/us["sender"])
		f.sample("receiver_overhead", extra["receiver"]/us["receiver"])
		f.sample("receiver_overhead_own", (extra["receiver"]-extra["proxy"])/us["receiver"]) // without what Caddy's own metrics and tracing cost
	})
}
