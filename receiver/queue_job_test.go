package receiver

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func sampleJob() *Job {
	return &Job{
		Method: http.MethodPost, URI: "/webhooks?a=b", Host: "hooks.example.com", RemoteAddr: "203.0.113.7:4321", TLS: true,
		Received: time.UnixMilli(1_700_000_000_123).UTC(),
		Header:   http.Header{"Content-Type": {"application/json"}, "X-Twice": {"a", "b"}, "X-Empty": {""}},
		Body:     []byte("\x00body\xff"),
		Scheme:   "videocloud", ID: "evt_1", Event: "video.uploaded", Timestamp: "2024-03-31T12:00:00Z",
	}
}

func TestJobSurvivesItsEncoding(t *testing.T) {
	t.Parallel()
	encoded := sampleJob().Append([]byte("before"))
	job, err := DecodeJob(encoded[len("before"):])
	require.NoError(t, err)
	require.Equal(t, sampleJob(), job)
}

func TestDecodeJobRefusesWhatItDidNotWrite(t *testing.T) {
	t.Parallel()
	whole := sampleJob().Append(nil)
	for i := range whole {
		_, err := DecodeJob(whole[:i])
		require.ErrorIs(t, err, ErrJob, "cut at %d", i)
	}
	_, err := DecodeJob(append(whole, 0))
	require.ErrorIs(t, err, ErrJob)
	_, err = DecodeJob(append([]byte{2}, whole[1:]...))
	require.ErrorIs(t, err, ErrJob)
}

func FuzzDecodeJob(f *testing.F) {
	f.Add(sampleJob().Append(nil))
	f.Add((&Job{}).Append(nil))
	f.Add([]byte{jobVersion, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		job, err := DecodeJob(b)
		if err != nil {
			return
		}
		again, err := DecodeJob(job.Append(nil))
		require.NoError(t, err)
		require.Equal(t, job, again)
		if r, err := job.Request(t.Context(), 1); err == nil {
			require.Equal(t, int64(len(job.Body)), r.ContentLength)
		}
	})
}

func FuzzDropOwn(f *testing.F) {
	for _, name := range ownSpellings {
		f.Add(name, "keep-alive, "+name)
	}
	f.Fuzz(func(t *testing.T, name, connection string) {
		h := http.Header{name: {"forged"}, "Connection": {connection}}
		dropGatewayHeaders(h)
		for name := range h {
			require.False(t, isGatewayHeader(name))
		}
		for _, v := range h["Connection"] {
			require.False(t, mentionsGatewayHeader(v))
		}
	})
}

func FuzzParseKey(f *testing.F) {
	f.Add(EventKey("videos", "videocloud", "evt_1").String())
	f.Fuzz(func(t *testing.T, s string) {
		if k, ok := ParseKey(s); ok {
			require.Equal(t, s, k.String())
		}
	})
}

// The estimate saves allocations, as long as it is not too small.
func TestJobIsEncodedInOneAllocation(t *testing.T) {
	job := sampleJob()
	size, names := job.size(isAny)
	require.GreaterOrEqual(t, size, len(job.Append(nil)))
	require.Equal(t, len(job.Header), names)
	if !raceEnabled {
		require.LessOrEqual(t, testing.AllocsPerRun(100, func() { job.Append(nil) }), 1.0)
	}
}
