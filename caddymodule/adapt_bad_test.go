package caddymodule

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// marked splits a Caddyfile at the line that ends with # here.
func marked(t *testing.T, text string) (caddyfile string, line int) {
	t.Helper()
	before, _, ok := strings.Cut(text, "# here")
	require.True(t, ok, "no mark")
	return strings.Replace(text, "# here", "", 1), strings.Count(before, "\n") + 1
}

func inWebhooks(block string) string { return "{\n\twebhooks {\n" + block + "\n\t}\n}\n" }

func inSender(block string) string { return inWebhooks("sender {\n" + block + "\n}") }

func inSite(block string) string { return "example.com {\n" + block + "\n}\n" }

func inReceiver(block string) string {
	return inSite("webhook_receiver {\nsecret s\n" + block + "\n}")
}

func TestBadCaddyfile(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, message string }{
		"unknown option":              {inWebhooks("nonsense # here"), `unknown option "nonsense"`},
		"global option twice":         {"{\nwebhooks {\n}\nwebhooks {  # here\n}\n}", "webhooks is given twice"},
		"global option argument":      {"{\nwebhooks on  # here\n}", "takes a block"},
		"option twice":                {inWebhooks("tracing\ntracing # here"), "tracing is given twice"},
		"flag with argument":          {inWebhooks("tracing on # here"), "wrong argument count for tracing"},
		"flag with block":             {inWebhooks("tracing { # here\nmore\n}"), "tracing takes no block"},
		"key_prefix missing":          {inWebhooks("key_prefix # here"), "wrong argument count for key_prefix"},
		"key_prefix two":              {inWebhooks("key_prefix a b # here"), "wrong argument count for key_prefix"},
		"key_prefix braces":           {inWebhooks("key_prefix a{b # here"), "key_prefix"},
		"redis missing":               {inWebhooks("redis # here"), "redis: give a URL"},
		"redis twice":                 {inWebhooks("redis memory\nredis memory # here"), "redis is given twice"},
		"redis two URLs":              {inWebhooks("redis memory memory # here"), "wrong argument count for redis"},
		"redis URL and block":         {inWebhooks("redis memory { # here\nmore\n}"), "redis takes no block"},
		"redis scheme":                {inWebhooks("redis http://localhost # here"), "redis://"},
		"redis unknown option":        {inWebhooks("redis {\naddress a:1\nnonsense # here\n}"), `unknown option "nonsense"`},
		"redis address twice":         {inWebhooks("redis {\naddress a:1\naddress b:1 # here\n}"), "address is given twice"},
		"redis address without port":  {inWebhooks("redis { # here\naddress a\n}"), "needs a port"},
		"redis db":                    {inWebhooks("redis {\naddress a:1\ndb one # here\n}"), `db: "one" is not a whole number`},
		"redis negative db":           {inWebhooks("redis {\naddress a:1\ndb -1 # here\n}"), "db: at least 0"},
		"redis timeout":               {inWebhooks("redis {\naddress a:1\ntimeout soon # here\n}"), `timeout: "soon" is not a duration`},
		"redis tls unknown":           {inWebhooks("redis {\naddress a:1\ntls {\nnonsense # here\n}\n}"), `unknown option "nonsense"`},
		"allow static without ranges": {inReceiver("allow static # here"), "allow: static names no addresses"},
		"redis tls cert alone":        {inWebhooks("redis { # here\naddress a:1\ntls {\ncert c\n}\n}"), "cert and key"},
		"redis cluster db":            {inWebhooks("redis { # here\naddress a:1\ncluster\ndb 1\n}"), "cluster"},
		"replicas in memory":          {inWebhooks("redis { # here\nreplicas 1\n}"), "redis"},

		"redis address bad port":     {inWebhooks("redis { # here\naddress a:b\n}"), "is no host and port"},
		"redis address repeated":     {inWebhooks("redis { # here\naddress a:1 a:1\n}"), "given twice"},
		"redis user alone":           {inWebhooks("redis { # here\naddress a:1\nusername u\n}"), "password"},
		"redis sentinels' password":  {inWebhooks("redis { # here\naddress a:1\nsentinel_password p\n}"), "master_name"},
		"redis sentinel and cluster": {inWebhooks("redis { # here\naddress a:1\nmaster_name m\ncluster\n}"), "master_name is at Caddyfile:5"},
		"redis db, cluster's line":   {inWebhooks("redis {\naddress a:1\ncluster # here\ndb 1\n}"), "db is at Caddyfile:6"},
		"known options are listed":   {inWebhooks("redi memory # here"), "there are key_prefix, redis, sender, tracing"},
		"known options of redis":     {inWebhooks("redis {\nadress a:1 # here\n}"), "address, cluster, db"},
		"known options of sender":    {inSender("max_aeg 1h # here"), "history, max_age, max_pending"},
		"known options of the API":   {inSite("webhook_api {\napikey k # here\n}"), "there are anonymous, api_key"},

		"retry over the default max_age": {inSender("retry 0s 10h 20h # here"), "can be 30h0m30s away"},
		"retry over max_age":             {inSender("retry 0s 10h\nmax_age 5h # here"), "retry is at Caddyfile:4"},
		"max_age under default retry":    {inSender("max_age 50m # here"), "max_age: the last attempt"},
		"max_age first":                  {inSender("max_age 5h # here\nretry 0s 10h"), "retry is at Caddyfile:5"},
		"timeouts count":                 {inSender("retry 0s 1m 1m\nmax_age 3m # here\ntimeout 1m"), "can be 4m away"},
		"encryption_key twice":           {inSender("encryption_key MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE= MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE= # here"), "the same as key 1"},

		"sender argument":          {inWebhooks("sender on { # here\n}"), "wrong argument count for sender"},
		"sender unknown":           {inSender("nonsense # here"), `unknown option "nonsense"`},
		"sender twice":             {inSender("timeout 1s\ntimeout 2s # here"), "timeout is given twice"},
		"duration":                 {inSender("timeout 15 # here"), `timeout: "15" is not a duration`},
		"zero duration":            {inSender("timeout 0s # here"), "timeout"},
		"negative duration":        {inSender("max_age -1h # here"), "max_age"},
		"empty retry":              {inSender("retry # here"), "wrong argument count for retry"},
		"bad retry":                {inSender("retry 0s soon # here"), `retry: "soon"`},
		"number":                   {inSender("concurrency many # here"), `concurrency: "many" is not a whole number`},
		"zero number":              {inSender("per_webhook 0 # here"), "per_webhook: at least 1"},
		"zero disable_after":       {inSender("disable_after 0s # here"), `disable_after: "0s" is too short`},
		"disable_after when":       {inSender("disable_after # here"), "wrong argument count for disable_after"},
		"disable_after twice":      {inSender("disable_after 1d\ndisable_after 2d # here"), "disable_after"},
		"number two":               {inSender("max_pending 1 2 # here"), "wrong argument count for max_pending"},
		"deliver on":               {inSender("deliver on # here"), `deliver takes off, not "on"`},
		"gone away":                {inSender("gone away # here"), `gone takes disable, not "away"`},
		"CIDR":                     {inSender("allow_networks 10.0.0.0/99 # here"), "allow_networks"},
		"CIDR beside placeholder":  {inSender("allow_networks {env.NET} 10.0.0.0/99 # here"), "allow_networks"},
		"proxy":                    {inSender("proxy ftp://proxy # here"), "proxy"},
		"encryption_key":           {inSender("encryption_key dG9vIHNob3J0 # here"), "encryption_key"},
		"event_types":              {inSender("event_types Order # here"), "event_types"},
		"event_types twice in one": {inSender("event_types a.b a.b # here"), "twice"},
		"history without age":      {inSender("history 10 # here"), "wrong argument count for history"},
		"notify_url no secret":     {inSender("notify_url https://a # here"), "wrong argument count for notify_url"},
		"notify_url short secret":  {inSender("notify_url https://a short # here"), "notify_url"},
		"brand":                    {inSender("brand \"A B\" # here"), "brand"},

		"api argument":        {inSite("webhook_api on { # here\nanonymous\n}"), "webhook_api takes a block"},
		"api nothing":         {inSite("webhook_api # here"), "api_key"},
		"api both":            {inSite("webhook_api { # here\napi_key k\nanonymous\n}"), "anonymous"},
		"api unknown":         {inSite("webhook_api {\nnonsense # here\n}"), `unknown option "nonsense"`},
		"api anonymous twice": {inSite("webhook_api {\nanonymous\nanonymous # here\n}"), "anonymous is given twice"},
		"api role":            {inSite("webhook_api {\napi_key k acc admin # here\n}"), `api_key takes publish, read, manage or all, not "admin"`},
		"api key twice":       {inSite("webhook_api {\napi_key k\napi_key k other # here\n}"), "the same as number 1"},
		"api account":         {inSite("webhook_api {\napi_key k \"a b\" # here\n}"), "is not an account"},
		"api key empty":       {inSite("webhook_api {\napi_key \"\" # here\n}"), "api_key is empty"},
		"api both, where":     {inSite("webhook_api {\napi_key k\nanonymous # here\n}"), "api_key is at Caddyfile:3"},
		"api key missing":     {inSite("webhook_api {\napi_key # here\n}"), "wrong argument count for api_key"},
		"api key too many":    {inSite("webhook_api {\napi_key k acc all more # here\n}"), "wrong argument count for api_key"},

		"receiver nothing":          {inSite("webhook_receiver # here"), "secret"},
		"receiver scheme alone":     {inSite("webhook_receiver github # here"), "secret"},
		"receiver empty secret":     {inSite(`webhook_receiver github "" # here`), "secret"},
		"receiver unknown scheme":   {inSite("webhook_receiver nobody s # here"), `"nobody"`},
		"receiver unknown option":   {inReceiver("nonsense # here"), `unknown option "nonsense"`},
		"scheme twice":              {inSite("webhook_receiver github s {\nscheme github # here\n}"), "scheme is given twice"},
		"scheme in block twice":     {inReceiver("scheme github\nscheme github # here"), "scheme is given twice"},
		"scheme missing":            {inReceiver("scheme # here"), "wrong argument count for scheme"},
		"scheme unknown option":     {inReceiver("scheme github {\nnonsense 1 # here\n}"), "nonsense"},
		"scheme option twice":       {inReceiver("scheme hmac {\nheader a\nheader b # here\n}"), "header is given twice"},
		"scheme option value":       {inReceiver("scheme hmac {\nheader X\nalg md4 # here\n}"), "alg"},
		"scheme option no value":    {inReceiver("scheme hmac {\nheader # here\n}"), "wrong argument count for header"},
		"undecodable secret":        {inSite("webhook_receiver standard whsec_??? # here"), "secret"},
		"secret decodes to nothing": {inSite("webhook_receiver standard whsec_ # here"), "secret"},
		"secret missing":            {inReceiver("name a\nsecret # here"), "wrong argument count for secret"},
		"name":                      {inReceiver("name \"a b\" # here"), "name"},
		"name twice":                {inReceiver("name a\nname b # here"), "name is given twice"},
		"tolerance":                 {inReceiver("tolerance 300 # here"), `tolerance: "300" is not a duration`},
		"tolerance zero":            {inReceiver("tolerance 0s # here"), "tolerance"},
		"require_timestamp":         {inSite("webhook_receiver github s { # here\nrequire_timestamp\n}"), "require_timestamp: only the scheme videocloud"},
		"allow nothing":             {inReceiver("allow # here"), "wrong argument count for allow"},
		"allow address":             {inReceiver("allow 10.0.0.300 # here"), "10.0.0.300"},
		"allow CIDR":                {inReceiver("allow 10.0.0.0/99 # here"), "10.0.0.0/99"},
		"allow second":              {inReceiver("allow 10.0.0.1 office # here"), "office"},
		"allow unknown source":      {inReceiver("allow office # here"), "office"},
		"max_size":                  {inReceiver("max_size big # here"), `max_size: "big" is not a size`},
		"max_size zero":             {inReceiver("max_size 0 # here"), "max_size"},
		"methods":                   {inReceiver("methods post # here"), "methods"},
		"dedup on":                  {inReceiver("dedup on # here"), `dedup takes off, not "on"`},
		"dedup twice":               {inReceiver("dedup off\ndedup { # here\n}"), "dedup is given twice"},
		"dedup off and block":       {inReceiver("dedup off { # here\nmore\n}"), "dedup takes no block"},
		"dedup unknown":             {inReceiver("dedup {\nnonsense # here\n}"), `unknown option "nonsense"`},
		"dedup id place":            {inReceiver("dedup {\nid cookie a # here\n}"), "id takes header or json"},
		"dedup id pointer":          {inReceiver("dedup {\nid json id # here\n}"), "pointer"},
		"dedup lease":               {inReceiver("dedup {\nttl 1h\nlease 1ms # here\n}"), "lease"},
		"dedup on_store_error":      {inReceiver("dedup {\non_store_error panic # here\n}"), "on_store_error"},
		"queue without store":       {inSite("webhook_receiver github s { # here\nname a\nqueue {\ndeliver {\nrespond 200\n}\n}\n}"), "redis"},
		"queue without deliver":     {inWebhooks("redis memory") + inReceiver("name a\nqueue { # here\n}"), "deliver"},
		"queue empty deliver":       {inWebhooks("redis memory") + inReceiver("name a\nqueue { # here\ndeliver {\n}\n}"), "deliver"},
		"queue without name":        {inWebhooks("redis memory") + inSite("webhook_receiver github s { # here\nqueue {\ndeliver {\nrespond 200\n}\n}\n}"), "name"},
		"queue unknown":             {inReceiver("queue {\nnonsense # here\n}"), `unknown option "nonsense"`},
		"queue concurrency":         {inReceiver("queue {\nconcurrency 0 # here\n}"), "concurrency"},
		"receiver lists options":    {inReceiver("nonsense # here"), "allow, challenge, dedup"},
		"dedup lists options":       {inReceiver("dedup {\nnonsense # here\n}"), "digest, id, lease"},
		"queue lists options":       {inReceiver("queue {\nnonsense # here\n}"), "concurrency, deliver"},
		"scheme lists schemes":      {inSite("webhook_receiver nobody s # here"), "github, "},
		"scheme lists options":      {inReceiver("scheme hmac {\nnonsense 1 # here\n}"), "it takes secret_encoding, alg"},
		"scheme without options":    {inReceiver("scheme gitlab {\nnonsense 1 # here\n}"), "it takes none"},
		"sources are listed":        {inReceiver("allow office # here"), "static"},
		"tolerance of no use":       {inReceiver("scheme github\ntolerance 1m # here"), "github has no timestamp"},
		"challenge not known yet":   {inReceiver("scheme github\nchallenge {env.NOT_KNOWN_YET} # here"), "challenge: it can't be with this scheme: github has no set-up request"},
		"url not known yet":         {inReceiver("scheme github\nurl {env.NOT_KNOWN_YET} # here"), "url: it can't be with this scheme: github does not sign the URL"},
		"url of no use beside one":  {inReceiver("scheme kaltura {\nalg {env.NOT_KNOWN_YET}\n}\nurl {env.NOT_KNOWN_YET} # here"), "url: it can't be with this scheme"},
		"tolerance off of no use":   {inReceiver("scheme github\ntolerance off # here"), "github has no timestamp"},
		"url of no use":             {inReceiver("scheme github\nurl https://hooks.example.com # here"), "github does not sign the URL"},
		"challenge of no use":       {inReceiver("scheme github\nchallenge token # here"), "github has no set-up request"},
		"methods CONNECT":           {inReceiver("methods CONNECT # here"), "tunnel"},
		"dedup off and more":        {inReceiver("dedup {\noff\nttl 1h # here\n}"), "dedup: ttl: it can't be with this off"},
		"dedup off and more, off":   {inReceiver("dedup {\noff # here\nttl 1h\n}"), "dedup: ttl: it can't be with this off"},
		"dedup id twice":            {inReceiver("dedup {\nid header A\nid json /a # here\n}"), "id is given twice"},
		"max_size, max_unfinished":  {inReceiver("max_size 2MiB # here\nmax_unfinished 1MiB"), "max_size: it can't be with this max_unfinished"},
		"max_size over a quarter":   {inReceiver("max_size 2MiB # here\nmax_unfinished 7MiB"), "max_size: it can't be with this max_unfinished"},
		"max_unfinished, max_size":  {inReceiver("max_size 2MiB\nmax_unfinished 1MiB # here"), "max_size: it can't be with this max_unfinished"},
		"read_timeout":              {inReceiver("read_timeout 0s # here"), "read_timeout"},
		"retry for too long":        {inReceiver("name a\nqueue {\nretry 0s 800h # here\ndeliver {\nrespond ok\n}\n}"), "more than 30d"},
		"queue and local": {inWebhooks("redis memory") + inReceiver("name a\nqueue {\ndeliver {\nrespond ok\n}\n}\ndedup {\non_store_error local # here\n}"),
			"on_store_error: it can't be with this queue"},
		"queues of two schemes": {inWebhooks("redis memory") + inReceiver("name a\nqueue { # here\ndeliver {\nrespond ok\n}\n}") +
			"other.example.com {\nwebhook_receiver github s {\nname a\nqueue {\ndeliver {\nrespond ok\n}\n}\n}\n}", `the name "a" is also that of the queue at`},
		"redis port":                {inWebhooks("redis redis://127.0.0.1:99999 # here"), "no port that there is"},
		"redis database negative":   {inWebhooks("redis redis://127.0.0.1/-1 # here"), "number of a database"},
		"redis database by name":    {inWebhooks("redis redis://127.0.0.1/events # here"), "number of a database"},
		"redis settings in the URL": {inWebhooks("redis rediss://127.0.0.1/0?skip_verify=true # here"), "and nothing else"},
		"redis timeout too short":   {inWebhooks("redis {\naddress a:1\ntimeout 1ns # here\n}"), "timeout: \"1ns\" is too short: at least 1ms"},
		"redis password empty":      {inWebhooks("redis {\naddress a:1\npassword \"\" # here\n}"), "password is empty"},
		"redis local without room":  {inWebhooks("redis local { # here\nmaxmemory 1KiB\n}"), "maxmemory: at least 1MiB"},
		"redis local nowhere":       {inWebhooks("redis local \"\" # here"), "the folder is empty"},
		"timeout too short":         {inSender("timeout 999us # here"), "timeout: \"999us\" is too short: at least 1ms"},
		"history too short":         {inSender("history 10 1ns # here"), "history: \"1ns\" is too short"},
		"disable_after too short":   {inSender("disable_after 1ns # here"), "disable_after: \"1ns\" is too short"},
		"proxy port":                {inSender("proxy http://127.0.0.1:99999 # here"), "proxy: write http://"},
		"proxy port zero":           {inSender("proxy socks5://127.0.0.1:0 # here"), "proxy: write http://"},
		"proxy path":                {inSender("proxy http://127.0.0.1:3128/path # here"), "and no path"},
		"proxy query":               {inSender("proxy http://127.0.0.1:3128?a=b # here"), "and no path"},
		"proxy empty":               {inSender("proxy \"\" # here"), "proxy is empty"},
		"notify_url user":           {inSender("notify_url https://user:pass@example.com/ 0123456789abcdef # here"), "without a user"},
		"notify_url port":           {inSender("notify_url https://example.com:70000/ 0123456789abcdef # here"), "notify_url: write https://"},
		"notify_slack port":         {inSender("notify_slack https://example.com:0/ # here"), "notify_slack: write the https://"},
		"portal_url user":           {inSender("portal_url https://user@example.com/console/portal/ # here"), "without a user"},
		"brand empty":               {inSender("brand \"\" # here"), "brand is empty"},
		"event type empty":          {inSender("event_types a.b \"\" # here"), "event_types is empty"},
		"api account empty":         {inSite("webhook_api {\napi_key k \"\" # here\n}"), "the account is empty"},
		"receiver scheme empty":     {inSite("webhook_receiver \"\" s # here"), "scheme is empty"},
		"receiver secret blank":     {inSite("webhook_receiver github \" \" # here"), "secret: number 1"},
		"name empty":                {inReceiver("name \"\" # here"), "name is empty"},
		"challenge empty":           {inReceiver("challenge \"\" # here"), "challenge is empty"},
		"tolerance too short":       {inReceiver("tolerance 1ms # here"), "tolerance: \"1ms\" is too short: at least 1s"},
		"read_timeout too short":    {inReceiver("read_timeout 1us # here"), "read_timeout: \"1us\" is too short"},
		"dedup ttl too short":       {inReceiver("dedup {\nttl 1ns # here\n}"), "ttl: \"1ns\" is too short"},
		"dedup timeout too short":   {inReceiver("dedup {\ntimeout 1ns # here\n}"), "timeout: \"1ns\" is too short"},
		"dedup id of no header":     {inReceiver("dedup {\nid header \"X Id\" # here\n}"), "is not the name of a header"},
		"dedup id empty":            {inReceiver("dedup {\nid header \"\" # here\n}"), "id is empty"},
		"dedup pointer empty":       {inReceiver("dedup {\nid json \"\" # here\n}"), "id is empty"},
		"queue timeout too short":   {inReceiver("name a\nqueue {\ntimeout 1ns # here\n}"), "timeout: \"1ns\" is too short"},
		"redis without name":        {inWebhooks("redis redis://localhost") + inSite("webhook_receiver github s # here"), "name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, line := marked(t, test.text)
			_, err := adapt(text)
			require.Error(t, err)
			require.ErrorContains(t, err, test.message)
			require.ErrorContains(t, err, fmt.Sprintf("Caddyfile:%d", line), "%s", text)
		})
	}
}

func TestErrorsRepeatNoSecret(t *testing.T) {
	t.Parallel()
	const secret = "hunter2-hunter2-hunter2"
	for name, text := range map[string]string{
		"password with a space": inWebhooks("redis {\naddress a:1\npassword my " + secret + "\n}"),
		"password in a URL":     inWebhooks("redis http://:" + secret + "@localhost"),
		"encryption key":        inSender("encryption_key " + secret),
		"notify secret":         inSender("notify_url ftp://a " + secret),
		"api key":               inSite("webhook_api {\napi_key a b all " + secret + "\n}"),
		"challenge":             inReceiver("challenge my " + secret),
		"webhook secret":        inSite("webhook_receiver standard whsec_" + secret + "!"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := adapt(text)
			require.Error(t, err)
			require.NotContains(t, err.Error(), secret)
		})
	}
}
