package filter

import (
	"fmt"
	"regexp/syntax"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func event(data string) *Event {
	return &Event{Type: "video.uploaded", ID: "evt_1", Timestamp: time.Date(2024, 3, 31, 12, 0, 0, 0, time.UTC), Data: []byte(data)}
}

const video = `{"videoId":"vid_123456","title":"My Video","size":10485760,"duration":120.5,"format":"mp4","big":9007199254740993,"huge":1e400,
	"tags":["a","b"],"owner":{"id":7,"vip":true},"none":null,"price":5.0}`

func TestMatch(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]bool{
		`true`:  true,
		`false`: false,
		`data.size > 1000000 && data.format == "mp4"`:        true,
		`data.size > 20000000`:                               false,
		`data.size > 1.5`:                                    true,
		`data.duration >= 120`:                               true,
		`data.price == 5`:                                    true,
		`data.big == 9007199254740993`:                       true,
		`data.huge > 1e300`:                                  true,
		`event == "video.uploaded"`:                          true,
		`event.startsWith("user.")`:                          false,
		`id == "evt_1"`:                                      true,
		`timestamp > timestamp("2024-01-01T00:00:00Z")`:      true,
		`timestamp.getFullYear() == 2024`:                    true,
		`timestamp.getHours() == 12`:                         true,
		`"a" in data.tags`:                                   true,
		`"z" in data.tags`:                                   false,
		`"size" in data`:                                     true,
		`has(data.missing)`:                                  false,
		`has(data.owner.id) && data.owner.id == 7`:           true,
		`data.owner.vip`:                                     true,
		`!data.owner.vip`:                                    false,
		`data.none == null`:                                  true,
		`data["videoId"] == "vid_123456"`:                    true,
		`data.tags.exists(t, t == "b")`:                      true,
		`data.tags.all(t, size(t) == 1)`:                     true,
		`data.title.contains("Video")`:                       true,
		`data.title.matches("^My [A-Z]")`:                    true,
		`size(data.tags) == 2`:                               true,
		`data.format in ["mp4", "mov"]`:                      true,
		`has(data.missing) ? data.missing > 1 : true`:        true,
		`data.size > 1 || data.missing > 1`:                  true, // CEL: one side decides, whatever the other fails on
		`data == data`:                                       true,
		`data.owner == {"id": 7, "vip": true}`:               true,
		`data.tags[0] == "a" && data.tags[1] != "a"`:         true,
		`int(data.size) % 2 == 0`:                            true,
		`double(data.size) / 1048576.0 == 10.0`:              true,
		`string(data.owner.id) == "7"`:                       true,
		`data.tags.map(t, t + "!").exists(t, t == "b!")`:     true,
		`data.tags.filter(t, t != "a").size() == 1`:          true,
		`duration("60s") < duration("2m")`:                   true,
		"data.size > 1\n// a comment\n && data.format != ''": true,
	} {
		f, err := Compile(source)
		require.NoError(t, err, source)
		got, err := f.Match(event(video))
		require.NoError(t, err, source)
		require.Equal(t, want, got, source)
		require.Equal(t, source, f.String())
	}
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	for source, message := range map[string]string{
		``:                        "empty",
		" \n":                     "empty",
		`data.size >`:             "line 1, column 12",
		"data.size > 1 &&\n  dta": "line 2, column 3",
		`data.size + 1`:           "true or false",
		`"text"`:                  "true or false",
		`event > 5`:               "line 1",
		`undefined(data)`:         "line 1",
		`event = "x"`:             "line 1",
		`event == 'x`:             "line 1",
		`data.title.matches("(")`: "line 1",
		"event == \"\xff\"":       "UTF-8",
		strings.Repeat("(", 500):  "recursion limit",
		strings.Repeat("!", 900):  "",
		strings.Repeat("x", 1025): "at most 1024 bytes",
		`timestamp == "2024"`:     "line 1",
		`data.tags.all(t)`:        "line 1",
		`data.s.matches("` + strings.Repeat("(a?){999}", 60) + `")`: "line 1, column 16: the regular expression is too large",
		`matches(data.s, "(")`:                                          "line 1, column 17: error parsing",
		`data.s.matches("((a{1,30}){1,30}){1,30}")`:                     "line 1",
		`data.x.all(a, data.x.all(b, data.x.all(c, a == b && b == c)))`: "line 1",
	} {
		_, err := Compile(source)
		var e *Error
		require.ErrorAs(t, err, &e, source)
		require.ErrorContains(t, err, message, source)
	}
}

func TestMatchFails(t *testing.T) {
	t.Parallel()
	for source, data := range map[string]string{
		`data.missing > 1`:       `{}`,
		`data.size > 1`:          `{"size":"10"}`,
		`data.flag`:              `{"flag":"yes"}`,
		`data.tags[5] == "a"`:    `{"tags":[]}`,
		`data.n / 0 == 1`:        `{"n":1}`,
		`int(data.s) > 1`:        `{"s":"x"}`,
		`data.s.matches(data.r)`: `{"s":"x","r":"("}`,
		`data.s.matches("x")`:    `{"s":7}`,
		`"x".matches(data.r)`:    `{"r":7}`,
		`true`:                   `[]`,
		`false`:                  `null`,
	} {
		f, err := Compile(source)
		require.NoError(t, err, source)
		_, err = f.Match(event(data))
		require.Error(t, err, source)
	}
}

// The dearest expressions on the largest data. What they cost is bounded by steps, not by time; that the bound is a
// few milliseconds is for BenchmarkDearest to show.
func dearest() (data string, sources []string) {
	data = `{"a":[` + strings.Repeat("1,", 100_000) + `1],"s":"` + strings.Repeat("a", 50_000) + `"}`
	return data, []string{
		`data.a.all(x, data.a.all(y, x == y))`,
		`data.a.map(x, data.a.map(y, [x, y])).size() > 1`,
		strings.TrimSuffix(strings.Repeat("data == data && ", 60), "&& "),
		strings.TrimSuffix(strings.Repeat("!(2 in data.a) && ", 50), "&& "),
		strings.TrimSuffix(strings.Repeat(`data.s.matches("(a*)*b|(a|aa)*c") || `, 25), "|| "),
		`size(` + strings.TrimSuffix(strings.Repeat("data.s + ", 25), "+ ") + `) < 1`,
		`(` + strings.TrimSuffix(strings.Repeat("data.a + ", 25), "+ ") + `).exists(x, x == 2)`,
		strings.TrimSuffix(strings.Repeat(`data.s.contains("aaaaaaaab") || `, 30), "|| "),
		`data.s.matches("(a?){300}b")`,
		strings.TrimSuffix(strings.Repeat(`data.a.exists(x, x == 2) || `, 30), "|| "),
	}
}

func TestCostIsBounded(t *testing.T) {
	t.Parallel()
	data, sources := dearest()
	for _, source := range sources {
		f, err := Compile(source)
		require.NoError(t, err, source)
		_, err = f.Match(event(data))
		require.ErrorIs(t, err, ErrCost, source)
	}
}

// A match that would cost too much is not begun: a short text with counted repetitions stands for a large expression, which goes over
// the event's text for minutes.
func TestMatchesAreBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 200_000)
	for name, row := range map[string]struct {
		source, data string
		want         error
	}{
		"a counted literal on a long text": {`data.s.matches("(a?){300}b")`, `{"s":"` + long + `"}`, ErrCost},
		"a simple one on a long text":      {`data.s.matches("(a|b|ab|ba)*c")`, `{"s":"` + long + `"}`, ErrCost},
		"the other side of it":             {`data.s.matches("(a?){300}b") || true`, `{"s":"` + long + `"}`, ErrCost},
		"the function":                     {`matches(data.s, "(a?){300}b")`, `{"s":"` + long + `"}`, ErrCost},
		"a large one of the event's":       {`"a".matches(data.r)`, `{"r":"` + strings.Repeat("a{1000}", 3) + `"}`, errRegexSize},
		"a long one of the event's":        {`"a".matches(data.r)`, `{"r":"` + long + `"}`, ErrCost},
		"many of the event's":              {`data.l.exists(x, "a".matches(data.r + string(x)))`, `{"r":"b{900}","l":[` + strings.Repeat("1,", 500) + `1]}`, ErrCost},
	} {
		f, err := Compile(row.source)
		require.NoError(t, err, name)
		_, err = f.Match(event(row.data))
		require.ErrorIs(t, err, row.want, name)
	}
	for source, want := range map[string]bool{
		`data.s.matches("^[a-z0-9-]{1,63}[.][a-z]{2,63}$")`:            true,
		`data.s.matches(data.r)`:                                       true,
		`["a", data.s].exists(x, x.matches("example"))`:                true,
		`matches(data.s, "^example")`:                                  true,
		`data.s.matches("^x") || data.s.matches("` + `\\pL+` + `[.]")`: true,
		`data.s.matches("x{2}")`:                                       false,
	} {
		f, err := Compile(source)
		require.NoError(t, err, source)
		got, err := f.Match(event(`{"s":"example.com","r":"^e.*m$"}`))
		require.NoError(t, err, source)
		require.Equal(t, want, got, source)
	}
}

// What a size is told to be is no less than what the expression compiles to.
func TestRegexSize(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"a", "abc", "a*b+c?", "(a|b)*c", "[a-z]{3,7}", "(ab?){30}", "((a{2,5}){3}x){4}", `^\pL+\d*$`, "a{0}", "x{5,}", "(?i)abc", "(a?){300}b"} {
		size, err := regexSize(pattern)
		require.NoError(t, err, pattern)
		parsed, err := syntax.Parse(pattern, syntax.Perl)
		require.NoError(t, err)
		compiled, err := syntax.Compile(parsed.Simplify())
		require.NoError(t, err)
		require.GreaterOrEqual(t, 2*size+4, len(compiled.Inst), pattern)
	}
}

func BenchmarkDearest(b *testing.B) {
	data, sources := dearest()
	for i, source := range sources {
		b.Run(fmt.Sprint(i), func(b *testing.B) {
			f, err := Compile(source)
			require.NoError(b, err)
			e := event(data)
			require.NoError(b, e.decode())
			for b.Loop() {
				_, _ = f.Match(e)
			}
		})
	}
}

func FuzzCompile(f *testing.F) {
	f.Add(`data.size > 1000000 && data.format == "mp4"`, video)
	f.Add(`data.a.all(x, data.a.exists(y, x == y))`, `{"a":[1,2,{"b":null}]}`)
	f.Add(`data.s.matches(data.r) || matches(data.s, "(a?){30}b")`, `{"s":"aaaa","r":"(a{1,30}){1,30}"}`)
	f.Fuzz(func(t *testing.T, source, data string) {
		filter, err := Compile(source)
		if err != nil {
			return
		}
		e := event(data)
		first, failed := filter.Match(e)
		again, failedAgain := filter.Match(e)
		require.Equal(t, first, again)
		require.Equal(t, failed == nil, failedAgain == nil)
		require.LessOrEqual(t, e.Steps(), 4*(MaxCost+evaluation)+len(data)/bytesPerStep)
	})
}
