package docstest

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What the README shows of ./xcaddy.sh is what it says, but for versions.
func TestReadmeShowsWhatXcaddySays(t *testing.T) {
	t.Parallel()
	var says []string
	for _, match := range regexp.MustCompile(`(?m)\bsay "(.*)"$`).FindAllStringSubmatch(read(t, "xcaddy.sh"), -1) {
		variable := regexp.MustCompile(`\\\$\\\(.*\\\)|\\\$[a-z]+`)
		says = append(says, variable.ReplaceAllString(regexp.QuoteMeta(match[1]), `\S+`))
	}
	require.NotEmpty(t, says)
	said := regexp.MustCompile(`^xcaddy\.sh: (?:` + strings.Join(says, "|") + `)$`)
	shown := 0
	for line := range strings.Lines(read(t, "README.md")) {
		if strings.HasPrefix(line, "xcaddy.sh: ") {
			require.Regexp(t, said, strings.TrimSuffix(line, "\n"))
			shown++
		}
	}
	require.Positive(t, shown)
}
