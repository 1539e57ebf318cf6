package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A job with one step of each kind, in a folder with the files that the command reads of a checkout. It is not parallel, as it
// changes the working directory.
func TestStepsAsGitHubRunsThem(t *testing.T) {
	for name, c := range map[string]struct{ steps, problem, out string }{
		"what one step says the next knows": {steps: `
      - run: |
          echo "COLOUR=blue" >> "$GITHUB_ENV"
          mkdir -p "$RUNNER_TEMP/bin"; echo "$RUNNER_TEMP/bin" >> "$GITHUB_PATH"
          printf '#!/bin/sh\necho own' > "$RUNNER_TEMP/bin/own"; chmod +x "$RUNNER_TEMP/bin/own"
      - run: own > out; echo "$COLOUR $SIZE $GITHUB_REF_NAME" >> out
        env: {SIZE: "${{ matrix.size }}big"}
`, out: "own\nblue big v1.2.3\n"},
		"a step that fails ends it":       {steps: "\n      - run: |\n          false\n          echo on > out\n", problem: "step 1"},
		"a pipe fails under bash":         {steps: "\n      - run: false | true\n        shell: bash\n", problem: "step 1"},
		"a secret is not made up":         {steps: "\n      - run: echo $TOKEN > out\n        env: {TOKEN: \"${{ secrets.NPM }}\"}\n"},
		"but its shell has to be right":   {steps: "\n      - run: if\n        env: {TOKEN: \"${{ github.token }}\"}\n", problem: "step 1"},
		"an action that nobody knows":     {steps: "\n      - uses: someone/something@v1\n", problem: "not known"},
		"an expression that nobody knows": {steps: "\n      - run: echo ${{ github.sha }}\n", problem: "not known"},
		"nothing to attest":               {steps: "\n      - uses: actions/attest-build-provenance@v2\n        with: {subject-path: \"${{ runner.temp }}/none/*\"}\n", problem: "where nothing is"},
		"a step in a folder":              {steps: "\n      - run: pwd > ../out; mkdir -p /dev/null/x || true\n        working-directory: inner\n", out: "inner\n"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			file := filepath.Join(dir, "w.yml")
			err := errors.Join(os.WriteFile("VERSION", []byte("1.2.3\n"), 0o644), os.Mkdir("inner", 0o755),
				os.WriteFile(file, []byte("jobs:\n  job:\n    steps:"+c.steps), 0o644))
			if err != nil {
				t.Fatal(err)
			}
			switch err := run(file, "job"); {
			case c.problem == "" && err != nil:
				t.Fatal(err)
			case c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)):
				t.Fatal(err)
			}
			out, _ := os.ReadFile("out")
			if !strings.HasSuffix(string(out), c.out) || c.out == "" && len(out) > 0 {
				t.Fatalf("%s", out)
			}
		})
	}
}
