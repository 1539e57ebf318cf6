// Command chart does what `helm lint` and `helm template` do for our chart, with Helm's own code and no cluster.
//
//	chart lint <folder of the chart>            fails with the errors and warnings of Helm's linter
//	chart template <folder of the chart> <name> writes the manifests of a release with the values of values.yaml
//
// Its tests decode what the chart makes into Kubernetes' own types, strictly: a field that Kubernetes would ignore is an error.
package main

import (
	"errors"
	"fmt"
	"log"
	"maps"
	"os"
	"slices"
	"sort"
	"strings"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	"helm.sh/helm/v3/pkg/releaseutil"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("chart: ")
	if err := run(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "lint":
		if list := lintErrors(args[1]); len(list) > 0 {
			return errors.New(strings.Join(list, "\n"))
		}
		return nil
	case len(args) == 3 && args[0] == "template":
		manifests, err := template(args[1], args[2], nil)
		if err != nil {
			return err
		}
		fmt.Print(manifestsHeader + manifests)
		return nil
	}
	return fmt.Errorf("say lint <folder> or template <folder> <name>")
}

// manifestsHeader is the comment at the top of deploy/kubernetes/webhooks.yaml.
const manifestsHeader = `# The chart's manifests for those who don't use Helm, made by
#
#   go run -C tools/chart . template ../../deploy/helm/caddy-webhooks webhooks > deploy/kubernetes/webhooks.yaml
#
# Change the hosts (HOST), the app behind the gateway (APP), and make the Secret caddy-webhooks, whose keys the pods get as variables
# (without a caddy at hand, "docker run --rm <image> webhook keygen" makes one too):
#
#   kubectl create secret generic caddy-webhooks --from-literal=REDIS_URL=redis://redis:6379/0 \
#     --from-literal=API_KEY="$(caddy webhook keygen)" --from-literal=ENCRYPTION_KEY="$(caddy webhook keygen --type encryption)" \
#     --from-literal=WEBHOOK_SECRET="$(caddy webhook keygen)"
#   kubectl apply -f deploy/kubernetes/webhooks.yaml
`

// lintErrors are what Helm's linter finds, but for remarks of the severity info.
func lintErrors(folder string) (list []string) {
	for _, m := range lint.AllWithKubeVersion(folder, nil, "default", nil).Messages {
		if m.Severity > support.InfoSev {
			list = append(list, m.Error())
		}
	}
	return list
}

// template renders the chart with values over those of values.yaml, which must fit the chart's schema.
func template(folder, release string, values map[string]any) (string, error) {
	chart, err := loader.Load(folder)
	if err != nil {
		return "", err
	}
	renderValues, err := chartutil.ToRenderValues(chart, values, chartutil.ReleaseOptions{Name: release, Namespace: "default", IsInstall: true}, nil)
	if err != nil {
		return "", err
	}
	files, err := engine.Render(chart, renderValues)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !strings.HasSuffix(name, ".yaml") {
			continue
		}
		documents := releaseutil.SplitManifests(files[name])
		order := slices.Collect(maps.Keys(documents))
		sort.Sort(releaseutil.BySplitManifestsOrder(order))
		for _, d := range order {
			fmt.Fprintf(&out, "---\n%s\n", strings.TrimSpace(documents[d]))
		}
	}
	return out.String(), nil
}
