package apitest

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// refusedID is the ID in events that must be refused, so that a test can look for one that was stored all the same.
const refusedID = "evt_never_stored"

// nested makes an object that is so many levels deep.
func nested(depth int) string {
	return `{"a":` + strings.Repeat("[", depth-1) + strings.Repeat("]", depth-1) + `}`
}

// testBadRequests is about the transport: paths, methods, media types, sizes, queries.
func testBadRequests(t *testing.T, c *client) {
	for _, path := range []string{
		"/", "/webhooks/", "//webhooks", "/webhooks//", "/Webhooks", "/webhook", "/webhooks/whk_1/", "/webhooks/whk_1/tests",
		"/webhooks/%77hk_1", "/webhooks/whk%2F1", "/webhooks/../webhooks", "/webhooks/a.b", "/webhooks/a:b", "/webhooks/" + strings.Repeat("a", 129),
		"/openapi.json/", "/v1/webhooks", "/events/batch/x", "/webhooks/whk_1/deliveries/x",
	} {
		c.run("path "+path, func(t *testing.T, c *client) {
			c.do("GET", path, "").fails(http.StatusNotFound, "not_found")
		})
	}
	for request, allow := range map[string]string{
		"DELETE /webhooks":       "POST, GET, HEAD",
		"OPTIONS /webhooks":      "POST, GET, HEAD",
		"POST /webhooks/whk_1":   "GET, HEAD, PUT, PATCH, DELETE",
		"PUT /events":            "POST, GET, HEAD",
		"PUT /events/batch":      "POST, GET, HEAD, DELETE",
		"POST /event-types":      "GET, HEAD",
		"GET /webhooks/w/replay": "POST",
		"POST /openapi.json":     "GET, HEAD",
		"post /webhooks":         "POST, GET, HEAD",
	} {
		c.run("method "+request, func(t *testing.T, c *client) {
			method, path, _ := strings.Cut(request, " ")
			res := c.do(method, path, "")
			res.fails(http.StatusMethodNotAllowed, "method_not_allowed")
			require.Equal(t, allow, res.header.Get("Allow"))
		})
	}
	for query, want := range map[string]struct{ code, field string }{
		"limit=0":                {"invalid_field", "limit"},
		"limit=101":              {"invalid_field", "limit"},
		"limit=-1":               {"invalid_field", "limit"},
		"limit=x":                {"invalid_field", "limit"},
		"limit=1.5":              {"invalid_field", "limit"},
		"limit=10&limit=10":      {"invalid_field", "limit"},
		"cursor=not-a-cursor":    {"invalid_field", "cursor"},
		"cursor=%00%ff":          {"invalid_field", "cursor"},
		"Limit=10":               {"unknown_field", "Limit"},
		"page=2":                 {"unknown_field", "page"},
		"state=failed":           {"unknown_field", "state"}, // which a list of deliveries takes
		"limit=10;cursor=x":      {"invalid_field", "query"},
		"limit=%zz":              {"invalid_field", "query"},
		"cursor=" + long("x"):    {"invalid_field", "cursor"},
		long("unknown") + "=yes": {"unknown_field", long("unknown")[:64] + "…"},
	} {
		c.run("query "+query[:min(30, len(query))], func(t *testing.T, c *client) {
			c.do("GET", "/webhooks?"+query, "").failsAt(422, want.code, want.field)
		})
	}
	testMediaTypes(t, c)
	testSizes(t, c)
	require.Empty(t, c.do("GET", "/webhooks", "").items(), "something was stored")
}

// long repeats a text until it has about 2,000 characters.
func long(s string) string { return strings.Repeat(s, 2000/len(s)) }

// testMediaTypes is about the media types that a request may name for its body.
func testMediaTypes(t *testing.T, c *client) {
	for name, headers := range map[string][]string{
		"none":       {"Content-Type: "},
		"text":       {"Content-Type: text/plain"},
		"form":       {"Content-Type: application/x-www-form-urlencoded"},
		"like JSON":  {"Content-Type: application/json5"},
		"JSON patch": {"Content-Type: application/merge-patch+json"},
		"Latin 1":    {"Content-Type: application/json; charset=iso-8859-1"},
		"UTF-16":     {"Content-Type: application/json;charset=utf-16"},
		"two":        {"Content-Type: application/json", "Content-Type: application/json"},
		"compressed": {"Content-Encoding: gzip"},
	} {
		c.run("media type "+name, func(t *testing.T, c *client) {
			for _, o := range operations {
				if o.body != "" {
					method, path := o.unknownPath()
					c.withRightsFor(o).do(method, path, o.body, headers...).fails(415, "unsupported_media_type")
				}
			}
		})
	}
	for _, mediaType := range []string{
		"application/json", "Application/JSON", "application/json;charset=utf-8", `application/json; charset="UTF-8"`, "application/json;",
	} {
		c.run("media type "+mediaType, func(t *testing.T, c *client) {
			c.do("POST", "/events", newEvent, "Content-Type: "+mediaType).ok(202)
		})
	}
}

// chunked hides the length of a body, so that it is sent in chunks.
type chunked struct{ io.Reader }

// testSizes is about the largest bodies that are accepted, with and without a length in the request.
func testSizes(t *testing.T, c *client) {
	event := func(id string, size int) string {
		return `{"event":"video.uploaded","id":"` + id + `","data":{"a":"` + strings.Repeat("a", size) + `"}}`
	}
	for name, request := range map[string]struct{ path, body string }{
		"event":   {"/events", event(refusedID, 300<<10)},
		"webhook": {"/webhooks", strings.Replace(newWebhook, "{", `{"description":"`+strings.Repeat("a", 300<<10)+`",`, 1)},
		"batch":   {"/events/batch", `{"events":[` + strings.TrimSuffix(strings.Repeat(event(refusedID, 200<<10)+",", 42), ",") + `]}`},
		"just":    {"/events", event(refusedID, 256<<10)},
	} {
		c.run("too large: "+name, func(t *testing.T, c *client) {
			c.do("POST", request.path, request.body).fails(413, "payload_too_large")
			c.send("POST", request.path, chunked{strings.NewReader(request.body)}).fails(413, "payload_too_large")
			c.do("GET", "/events/"+refusedID, "").failure(404)
		})
	}
	c.run("large enough", func(t *testing.T, c *client) {
		c.do("POST", "/events", event("evt_255_KiB", 255<<10)).ok(202)
		c.send("POST", "/events", chunked{strings.NewReader(event("evt_chunked", 255<<10))}).ok(202)
	})
	c.run("too large for one, in a batch", func(t *testing.T, c *client) {
		data := c.do("POST", "/events/batch", `{"events":[`+event(refusedID, 300<<10)+`,`+newEvent+`]}`).ok(202)
		items := data["items"].([]any)
		require.Equal(t, "payload_too_large", items[0].(map[string]any)["error"].(map[string]any)["code"])
		require.NotEmpty(t, items[1].(map[string]any)["id"])
	})
}

// testBadWebhooks sends registrations that must be refused.
func testBadWebhooks(t *testing.T, c *client) {
	with := func(members string) string {
		return `{"url":"https://your-server.com/webhooks","events":["video.uploaded"],` + members + `}`
	}
	rows := map[string]refusal{
		"no url":                {`{"events":["*"]}`, 422, "invalid_field", "url"},
		"no events":             {`{"url":"https://your-server.com/"}`, 422, "invalid_field", "events"},
		"null url":              {`{"url":null,"events":["*"]}`, 422, "invalid_field", "url"},
		"empty events":          {`{"url":"https://your-server.com/","events":[]}`, 422, "invalid_field", "events"},
		"events is a string":    {`{"url":"https://your-server.com/","events":"*"}`, 422, "invalid_field", "events"},
		"an event is a number":  {`{"url":"https://your-server.com/","events":["*",1]}`, 422, "invalid_field", "events"},
		"unknown event type":    {`{"url":"https://your-server.com/","events":["video.eaten"]}`, 422, "unknown_event_type", "events"},
		"url is a number":       {`{"url":1,"events":["*"]}`, 422, "invalid_field", "url"},
		"unknown field":         {with(`"colour":"red"`), 422, "unknown_field", "colour"},
		"Field in another case": {with(`"Secret":"your_webhook_secret"`), 422, "unknown_field", "Secret"},
		"read-only field":       {with(`"id":"whk_1"`), 422, "unknown_field", "id"},
		"short secret":          {with(`"secret":"short"`), 422, "invalid_field", "secret"},
		"empty secret":          {with(`"secret":""`), 422, "invalid_field", "secret"},
		"long secret":           {with(`"secret":"` + strings.Repeat("s", 257) + `"`), 422, "invalid_field", "secret"},
		"half a surrogate pair": {with(`"secret":"your_webhook_secret\ud800"`), 422, "invalid_field", "secret"},
		"headers is a list":     {with(`"headers":["a"]`), 422, "invalid_field", "headers"},
		"a header is a number":  {with(`"headers":{"a":1}`), 422, "invalid_field", "headers"},
		"rate is a string":      {with(`"rateLimit":"10"`), 422, "invalid_field", "rateLimit"},
		"rate is a fraction":    {with(`"rateLimit":1.5`), 422, "invalid_field", "rateLimit"},
		"rate is negative":      {with(`"rateLimit":-1`), 422, "invalid_field", "rateLimit"},
		"rate is enormous":      {with(`"rateLimit":1e300`), 422, "invalid_field", "rateLimit"},
		"rate is too large":     {with(`"rateLimit":99999999999`), 422, "invalid_field", "rateLimit"},
		"repeated name":         {with(`"secret":"your_webhook_secret","secret":"your_webhook_secre2"`), 400, "invalid_json", "secret"},
		"repeated escaped name": {with(`"secret":"your_webhook_secret","\u0073ecret":"your_webhook_secre2"`), 400, "invalid_json", "secret"},
	}
	for name, url := range map[string]string{
		"http":            "http://your-server.com/webhooks",
		"empty":           "",
		"no scheme":       "your-server.com/webhooks",
		"another scheme":  "ftp://your-server.com/webhooks",
		"loopback":        "https://127.0.0.1/webhooks",
		"private":         "https://10.0.0.1/webhooks",
		"metadata":        "https://169.254.169.254/latest/meta-data",
		"IPv6 loopback":   "https://[::1]/webhooks",
		"IPv4 in IPv6":    "https://[::ffff:10.0.0.1]/webhooks",
		"user info":       "https://user:password@your-server.com/webhooks",
		"decimal address": "https://2130706433/webhooks",
	} {
		rows["url: "+name] = refusal{`{"url":"` + url + `","events":["video.uploaded"]}`, 422, "unsafe_url", "url"}
	}
	for name, row := range rows {
		c.run(name, func(t *testing.T, c *client) {
			res := c.do("POST", "/webhooks", row.body)
			code, field := res.failure(row.status)
			if code == "invalid_field" && strings.HasPrefix(name, "url: ") {
				code = "unsafe_url" // the contract allows either
			}
			require.Equal(t, row.code, code, res.body)
			require.Equal(t, row.field, field, res.body)
			require.NotContains(t, res.body, "your_webhook_secret")
		})
	}
	require.Empty(t, c.do("GET", "/webhooks", "").items(), "something was stored")
}

// testBadEvents sends events that must be refused.
func testBadEvents(t *testing.T, c *client) {
	with := func(members string) string {
		return `{"id":"` + refusedID + `","event":"video.uploaded",` + members + `}`
	}
	for name, row := range map[string]refusal{
		"empty":                    {" ", 400, "invalid_json", ""},
		"not JSON":                 {"event=video.uploaded", 400, "invalid_json", ""},
		"cut off":                  {`{"event":"video.uploaded","data":{`, 400, "invalid_json", ""},
		"cut off in a string":      {`{"event":"video.up`, 400, "invalid_json", ""},
		"trailing comma":           {with(`"data":{},`), 400, "invalid_json", ""},
		"comment":                  {with(`"data":{/**/}`), 400, "invalid_json", ""},
		"single quotes":            {`{'event':'video.uploaded','data':{}}`, 400, "invalid_json", ""},
		"control character":        {with("\"data\":{\"a\":\"\n\"}"), 400, "invalid_json", ""},
		"leading zero":             {with(`"data":{"a":01}`), 400, "invalid_json", ""},
		"not a number":             {with(`"data":{"a":NaN}`), 400, "invalid_json", ""},
		"bad escape":               {with(`"data":{"a":"\x41"}`), 400, "invalid_json", ""},
		"two documents":            {with(`"data":{}`) + `{}`, 400, "invalid_json", ""},
		"something behind":         {with(`"data":{}`) + ` x`, 400, "invalid_json", ""},
		"zero byte behind":         {with(`"data":{}`) + "\x00", 400, "invalid_json", ""},
		"byte order mark":          {"\ufeff" + with(`"data":{}`), 400, "invalid_json", ""},
		"invalid UTF-8":            {with("\"data\":{\"a\":\"\xff\"}"), 400, "invalid_json", ""},
		"overlong UTF-8":           {with("\"data\":{\"a\":\"\xc0\xaf\"}"), 400, "invalid_json", ""},
		"surrogate in UTF-8":       {with("\"data\":{\"a\":\"\xed\xa0\x80\"}"), 400, "invalid_json", ""},
		"UTF-16":                   {"{\x00}\x00", 400, "invalid_json", ""},
		"a list":                   {`[{"event":"video.uploaded","data":{}}]`, 400, "invalid_json", ""},
		"null":                     {`null`, 400, "invalid_json", ""},
		"a string":                 {`"video.uploaded"`, 400, "invalid_json", ""},
		"repeated name":            {with(`"data":{},"event":"video.deleted"`), 400, "invalid_json", "event"},
		"repeated escaped name":    {with(`"data":{},"\u0065vent":"video.deleted"`), 400, "invalid_json", "event"},
		"repeated name in data":    {with(`"data":{"a":1,"b":2,"a":3}`), 400, "invalid_json", "data"},
		"repeated unknown":         {with(`"data":{},"x":1,"x":2`), 422, "unknown_field", "x"},
		"too deep":                 {with(`"data":` + nested(1000)), 400, "invalid_json", ""},
		"far too deep":             {with(`"data":` + nested(100_000)), 400, "invalid_json", ""},
		"deep and cut off":         {with(`"data":{"a":` + strings.Repeat("[", 100_000)), 400, "invalid_json", ""},
		"unknown field":            {with(`"data":{},"userId":1`), 422, "unknown_field", "userId"},
		"unknown field and broken": {with(`"userId":1,"data":{`), 400, "invalid_json", ""},
		"field in another case":    {with(`"Data":{}`), 422, "unknown_field", "Data"},
		"no event":                 {`{"data":{}}`, 422, "invalid_field", "event"},
		"no data":                  {`{"event":"video.uploaded"}`, 422, "invalid_field", "data"},
		"null data":                {with(`"data":null`), 422, "invalid_field", "data"},
		"data is a list":           {with(`"data":[]`), 422, "invalid_field", "data"},
		"data is a string":         {with(`"data":"{}"`), 422, "invalid_field", "data"},
		"event is a number":        {`{"event":1,"data":{}}`, 422, "invalid_field", "event"},
		"unknown event type":       {`{"event":"video.eaten","data":{}}`, 422, "unknown_event_type", "event"},
		"a group":                  {`{"event":"video.*","data":{}}`, 422, "unknown_event_type", "event"},
		"empty id":                 {`{"id":"","event":"video.uploaded","data":{}}`, 422, "invalid_field", "id"},
		"odd id":                   {`{"id":"a b","event":"video.uploaded","data":{}}`, 422, "invalid_field", "id"},
		"long id":                  {`{"id":"` + strings.Repeat("a", 129) + `","event":"video.uploaded","data":{}}`, 422, "invalid_field", "id"},
		"timestamp without zone":   {with(`"data":{},"timestamp":"2024-03-31T12:00:00"`), 422, "invalid_field", "timestamp"},
		"timestamp as a number":    {with(`"data":{},"timestamp":1711886400`), 422, "invalid_field", "timestamp"},
		"timestamp of no day":      {with(`"data":{},"timestamp":"2024-02-30T12:00:00Z"`), 422, "invalid_field", "timestamp"},
		"timestamp of year 1":      {with(`"data":{},"timestamp":"0001-01-01T00:00:00Z"`), 422, "invalid_field", "timestamp"},
		"timestamp beyond 9999":    {with(`"data":{},"timestamp":"9999-12-31T23:59:59-01:00"`), 422, "invalid_field", "timestamp"},
	} {
		c.run(name, func(t *testing.T, c *client) {
			c.do("POST", "/events", row.body).failsAt(row.status, row.code, row.field)
			c.do("GET", "/events/"+refusedID, "").failure(404)
		})
	}
	for name, headers := range map[string][]string{
		"odd":   {"Idempotency-Key: a b"},
		"two":   {"Idempotency-Key: evt_1", "Idempotency-Key: evt_2"},
		"slash": {"Idempotency-Key: a/b"},
	} {
		c.run("idempotency key: "+name, func(t *testing.T, c *client) {
			c.do("POST", "/events", newEvent, headers...).failsAt(422, "invalid_field", "Idempotency-Key")
		})
	}
}
