package config_test

import (
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
)

func TestZeroSettingsAreUsable(t *testing.T) {
	t.Parallel()
	var s config.Sender
	s.SetDefaults()
	require.NoError(t, s.Validate())
	require.Equal(t, 52*time.Minute, s.RetrySpan(), "51 minutes, and four attempts that use up their 15 s")
	var r config.Redis
	r.SetDefaults()
	require.NoError(t, r.Validate())
	require.True(t, r.InMemory())
	g := config.Receiver{Secrets: []string{"s"}}
	g.SetDefaults()
	require.NoError(t, g.Validate())
}

func TestLesson57SenderOptionsThatCannotBothHold(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		change        func(s *config.Sender)
		option, other string // none: it is right
	}{
		"default table, long enough": {func(s *config.Sender) { s.MaxAge = 52 * time.Minute }, "", ""},
		"default table":              {func(s *config.Sender) { s.MaxAge = 51 * time.Minute }, "retry", "max_age"},
		"default max_age": {
			func(s *config.Sender) { s.Retry = []time.Duration{0, 10 * time.Hour, 20 * time.Hour} }, "retry", "max_age",
		},
		"long timeout": {func(s *config.Sender) { s.MaxAge, s.Timeout = 2*time.Hour, time.Hour }, "retry", "max_age"},
		"more than can be counted": {
			func(s *config.Sender) { s.Retry = []time.Duration{math.MaxInt64, math.MaxInt64} }, "retry", "max_age",
		},
		"one attempt":                {func(s *config.Sender) { s.Retry, s.MaxAge = []time.Duration{0}, time.Second }, "", ""},
		"a secret without a URL":     {func(s *config.Sender) { s.NotifySecret = "0123456789abcdef" }, "notify_secret", "notify_url"},
		"a secret with its URL":      {func(s *config.Sender) { s.NotifySecret, s.NotifyURL = "0123456789abcdef", "https://a" }, "", ""},
		"deliver off, a short table": {func(s *config.Sender) { s.DeliverOff, s.Retry = true, []time.Duration{0} }, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s config.Sender
			row.change(&s)
			s.SetDefaults()
			requireConflict(t, s.Validate(), row.option, row.other)
		})
	}
}

// Every option of the store against every other: those that go together are listed, all others are refused or harmless,
// and what is refused names both.
func TestLesson57RedisOptionsThatCannotBothHold(t *testing.T) {
	t.Parallel()
	type redis = config.Redis
	for name, row := range map[string]struct {
		redis         redis
		option, other string
	}{
		"URL":                        {redis{URL: "redis://u:p@localhost/2"}, "", ""},
		"URL and options beside":     {redis{URL: "redis://localhost", Username: "u", Password: "p", DB: 2}, "", ""},
		"URL of a cluster":           {redis{URL: "rediss://localhost/0", Cluster: true, TLS: &config.RedisTLS{CA: "f"}}, "", ""},
		"Sentinels":                  {redis{Addresses: []string{"a:1", "b:1"}, MasterName: "m", SentinelPassword: "s", DB: 2}, "", ""},
		"replicas":                   {redis{Addresses: []string{"a:1"}, Replicas: 2}, "", ""},
		"memory and replicas":        {redis{URL: "memory", Replicas: 1}, "redis: replicas", "memory"},
		"nothing and replicas":       {redis{Replicas: 1}, "redis: replicas", "memory"},
		"memory and a cluster":       {redis{URL: "memory", Cluster: true}, "redis: cluster", "memory"},
		"memory and Sentinels":       {redis{URL: "memory", MasterName: "m"}, "redis: master_name", "memory"},
		"memory, Sentinels' secret":  {redis{URL: "memory", SentinelPassword: "m"}, "redis: sentinel_password", "memory"},
		"memory and a user":          {redis{URL: "memory", Username: "u"}, "redis: username", "memory"},
		"memory and a password":      {redis{URL: "memory", Password: "hunter2"}, "redis: password", "memory"},
		"memory and a database":      {redis{URL: "memory", DB: 1}, "redis: db", "memory"},
		"memory and TLS":             {redis{URL: "memory", TLS: &config.RedisTLS{}}, "redis: tls", "memory"},
		"URL and Sentinels":          {redis{URL: "redis://a", MasterName: "m"}, "redis: master_name", "the URL"},
		"Sentinels and cluster":      {redis{Addresses: []string{"a:1"}, MasterName: "m", Cluster: true}, "redis: master_name", "cluster"},
		"secret of no Sentinels":     {redis{Addresses: []string{"a:1"}, SentinelPassword: "s"}, "redis: sentinel_password", "master_name"},
		"user without password":      {redis{Addresses: []string{"a:1"}, Username: "u"}, "redis: username", "password"},
		"cluster's database":         {redis{Addresses: []string{"a:1"}, Cluster: true, DB: 1}, "redis: db", "cluster"},
		"cluster of several":         {redis{Addresses: []string{"a:1", "b:1"}, DB: 1}, "redis: db", "cluster"},
		"cluster's database in URL":  {redis{URL: "redis://a/3", Cluster: true}, "redis: the URL's database", "cluster"},
		"two databases":              {redis{URL: "redis://a/3", DB: 3}, "redis: db", "the URL"},
		"two users":                  {redis{URL: "redis://u:p@a", Username: "v"}, "redis: username", "the URL"},
		"two passwords":              {redis{URL: "redis://:hunter2@a", Password: "hunter3"}, "redis: password", "the URL"},
		"TLS to a URL that has none": {redis{URL: "redis://a", TLS: &config.RedisTLS{}}, "redis: tls", "the URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireConflict(t, row.redis.Validate(), row.option, row.other)
		})
	}
}

func requireConflict(t *testing.T, err error, option, other string) {
	t.Helper()
	if option == "" {
		require.NoError(t, err)
		return
	}
	var both *config.Conflict
	require.True(t, errors.As(err, &both), "%v", err)
	require.Equal(t, [2]string{option, other}, [2]string{both.Option, both.Other})
	require.ErrorContains(t, err, option)
	require.ErrorContains(t, err, other)
	require.NotContains(t, err.Error(), "hunter")
}

func TestAddressesOfRedis(t *testing.T) {
	t.Parallel()
	for address, right := range map[string]bool{
		"a:6379": true, "10.0.0.1:1": true, "[::1]:6379": true, "redis.example.com:65535": true,
		"a": false, ":6379": false, "a:": false, "a:0": false, "a:65536": false, "a:b": false, "::1:6379": false, "": false, "a:-1": false,
	} {
		r := config.Redis{Addresses: []string{address}}
		require.Equal(t, right, r.Validate() == nil, address)
	}
	r := config.Redis{Addresses: []string{"a:1", "b:1", "a:1"}}
	require.ErrorContains(t, r.Validate(), `"a:1" is given twice`)
}

func TestDurationsTakeDays(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"2d": 48 * time.Hour, "1d12h": 36 * time.Hour, "0.5d": 12 * time.Hour, ".5d": 12 * time.Hour, "15s": 15 * time.Second, "0s": 0,
		"1h30m": 90 * time.Minute, "-1d": -24 * time.Hour,
	} {
		d, err := config.ParseDuration(text)
		require.NoError(t, err, text)
		require.Equal(t, want, d, text)
	}
	for _, text := range []string{"", "d", "1", "1D", "d1", "1 d", "one day", "1e3d", "99999999999999d"} {
		_, err := config.ParseDuration(text)
		require.Error(t, err, text)
	}
}

func TestDurationsAreWrittenAsPeopleDo(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]time.Duration{
		"2d": 48 * time.Hour, "24h": 24 * time.Hour, "30h": 30 * time.Hour, "5m": 5 * time.Minute, "1h30m": 90 * time.Minute, "15s": 15 * time.Second,
		"0s": 0, "1m30s": 90 * time.Second, "10s": 10 * time.Second,
	} {
		require.Equal(t, want, config.FormatDuration(d))
		back, err := config.ParseDuration(want)
		require.NoError(t, err)
		require.Equal(t, d, back)
	}
}

func FuzzDurationRoundTrip(f *testing.F) {
	f.Add(int64(time.Hour))
	f.Fuzz(func(t *testing.T, n int64) {
		d := time.Duration(n)
		back, err := config.ParseDuration(config.FormatDuration(d))
		require.NoError(t, err)
		require.Equal(t, d, back)
	})
}

func TestPatternsOfAnEvent(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"a.b.c", "a.b.*", "a.*", "*"}, config.Patterns("a.b.c"))
}

func TestHeadersCarryTheBrand(t *testing.T) {
	t.Parallel()
	names := reflect.ValueOf(config.HeadersFor("Acme"))
	for i := range names.NumField() {
		require.Contains(t, names.Field(i).String(), "Acme")
	}
}
