package observability

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// span is what a collector was told of one.
type span struct {
	service string
	*tracepb.Span
}

func (s *span) trace() string  { return hex.EncodeToString(s.TraceId) }
func (s *span) id() string     { return hex.EncodeToString(s.SpanId) }
func (s *span) parent() string { return hex.EncodeToString(s.ParentSpanId) }
func (s *span) failed() bool   { return s.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR }

// attribute returns an attribute as text.
func (s *span) attribute(name string) string {
	for _, a := range s.Attributes {
		if a.Key == name {
			if v := a.Value.GetStringValue(); v != "" {
				return v
			}
			return fmt.Sprint(a.Value.GetIntValue())
		}
	}
	return ""
}

// otlp is a collector of spans in this process.
type otlp struct {
	collector.UnimplementedTraceServiceServer
	env   []string // that makes a program export to it
	mu    sync.Mutex
	spans []*span
}

// Export implements the collector's service.
func (o *otlp) Export(_ context.Context, r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, resource := range r.ResourceSpans {
		service := ""
		for _, a := range resource.Resource.Attributes {
			if a.Key == "service.name" {
				service = a.Value.GetStringValue()
			}
		}
		for _, scope := range resource.ScopeSpans {
			for _, s := range scope.Spans {
				o.spans = append(o.spans, &span{service, s})
			}
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

func grpcCollector(t *testing.T) *otlp {
	o := new(otlp)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer()
	collector.RegisterTraceServiceServer(server, o)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	o.env = []string{"OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_ENDPOINT=http://" + l.Addr().String()}
	return o
}

func httpCollector(t *testing.T) *otlp {
	o := new(otlp)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var export collector.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &export) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		answer, _ := o.Export(r.Context(), &export)
		text, _ := proto.Marshal(answer)
		w.Header().Set("Content-Type", "application/x-protobuf")
		_, _ = w.Write(text)
	}))
	t.Cleanup(server.Close)
	o.env = []string{"OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "OTEL_EXPORTER_OTLP_ENDPOINT=" + server.URL}
	return o
}

// of returns the spans of a trace that have a name, in the order of their beginning.
func (o *otlp) of(trace, name string) (found []*span) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.spans {
		if s.trace() == trace && s.Name == name {
			found = append(found, s)
		}
	}
	for i := range found { // few of them
		for k := i + 1; k < len(found); k++ {
			if found[k].StartTimeUnixNano < found[i].StartTimeUnixNano {
				found[i], found[k] = found[k], found[i]
			}
		}
	}
	return found
}

// text is all that was exported.
func (o *otlp) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := ""
	for _, s := range o.spans {
		all += protojson.Format(s.Span) + "\n"
	}
	return all
}
