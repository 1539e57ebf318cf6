package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
)

const folder = "../../deploy/helm/caddy-webhooks"

// decode reads manifests into Kubernetes' types, by kind. Unknown fields and fields that are there twice are errors.
func decode(manifests string) (map[string][]runtime.Object, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{appsv1.AddToScheme, corev1.AddToScheme, policyv1.AddToScheme, networkingv1.AddToScheme, autoscalingv2.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	decoder := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Yaml: true, Strict: true})
	kinds := map[string][]runtime.Object{}
	for _, document := range regexp.MustCompile(`(?m)^---\n`).Split(manifests, -1)[1:] {
		object, kind, err := decoder.Decode([]byte(document), nil, nil)
		if err != nil {
			return nil, err
		}
		kinds[kind.Kind] = append(kinds[kind.Kind], object)
	}
	return kinds, nil
}

func render(t *testing.T, values map[string]any) map[string][]runtime.Object {
	t.Helper()
	manifests, err := template(folder, "webhooks", values)
	require.NoError(t, err)
	kinds, err := decode(manifests)
	require.NoError(t, err)
	return kinds
}

func TestLint(t *testing.T) {
	t.Parallel()
	require.Empty(t, lintErrors(folder))
}

func TestAnUnknownFieldIsFound(t *testing.T) {
	t.Parallel()
	manifests, err := template(folder, "webhooks", nil)
	require.NoError(t, err)
	_, err = decode(strings.Replace(manifests, "automountServiceAccountToken", "automountServiceAcountToken", 1))
	require.ErrorContains(t, err, "automountServiceAcountToken")
}

func TestPlainManifestsAreTheChart(t *testing.T) {
	t.Parallel()
	manifests, err := template(folder, "webhooks", nil)
	require.NoError(t, err)
	plain, err := os.ReadFile("../../deploy/kubernetes/webhooks.yaml")
	require.NoError(t, err)
	require.Equal(t, manifestsHeader+manifests, string(plain), "make it again, as its first lines say")
	_, err = decode(string(plain))
	require.NoError(t, err)
}

func TestValues(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		values map[string]any
		kinds  map[string]int
	}{
		"as they are": {nil, map[string]int{"ConfigMap": 2, "Deployment": 2, "Service": 2, "PodDisruptionBudget": 2, "NetworkPolicy": 2}},
		"the gateway alone, open": {
			map[string]any{"api": map[string]any{"replicas": 0}, "networkPolicy": map[string]any{"enabled": false}},
			map[string]int{"ConfigMap": 1, "Deployment": 1, "Service": 1, "PodDisruptionBudget": 1},
		},
		"scaled, behind an ingress": {
			map[string]any{
				"api":           map[string]any{"autoscaling": map[string]any{"enabled": true}},
				"networkPolicy": map[string]any{"from": []any{map[string]any{"namespaceSelector": map[string]any{"matchLabels": map[string]any{"name": "ingress"}}}}},
			},
			map[string]int{"ConfigMap": 2, "Deployment": 2, "Service": 2, "PodDisruptionBudget": 2, "NetworkPolicy": 2, "HorizontalPodAutoscaler": 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := map[string]int{}
			for kind, objects := range render(t, c.values) {
				got[kind] = len(objects)
			}
			require.Equal(t, c.kinds, got)
		})
	}
}

func TestValuesThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	for name, values := range map[string]map[string]any{
		"misspelt":                    {"gatway": map[string]any{"replicas": 1}},
		"misspelt inside":             {"api": map[string]any{"replica": 1}},
		"no time to stop":             {"terminationGracePeriodSeconds": 30},
		"a number of pods in letters": {"api": map[string]any{"replicas": "two"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := template(folder, "webhooks", values)
			require.Error(t, err)
		})
	}
}

// What a pod does while its Redis is down and while it stops, and what it may do to its machine.
func TestPods(t *testing.T) {
	t.Parallel()
	kinds := render(t, nil)
	files := map[string]string{}
	for _, o := range kinds["ConfigMap"] {
		files[o.(*corev1.ConfigMap).Name] = o.(*corev1.ConfigMap).Data["Caddyfile"]
	}
	for _, o := range kinds["Deployment"] {
		d := o.(*appsv1.Deployment)
		pod := d.Spec.Template.Spec
		require.Len(t, pod.Containers, 1)
		c := pod.Containers[0]
		require.Equal(t, "/health/live", c.LivenessProbe.HTTPGet.Path, "a Redis that is down kills no pod")
		require.Equal(t, "/health/ready", c.ReadinessProbe.HTTPGet.Path)
		require.False(t, *pod.AutomountServiceAccountToken)
		require.True(t, *pod.SecurityContext.RunAsNonRoot)
		require.True(t, *c.SecurityContext.ReadOnlyRootFilesystem)
		require.False(t, *c.SecurityContext.AllowPrivilegeEscalation)
		require.Equal(t, []corev1.Capability{"ALL"}, c.SecurityContext.Capabilities.Drop)
		require.NotContains(t, c.Image, ":latest")
		// Secrets come by reference only.
		require.NotNil(t, c.EnvFrom[0].SecretRef)
		for _, e := range c.Env {
			require.Contains(t, []string{"HOST", "APP"}, e.Name)
		}

		file := files[d.Name]
		require.Contains(t, file, "\tadmin localhost:2019\n", "the admin address is nobody else's")
		for _, p := range c.Ports {
			require.NotEqual(t, int32(2019), p.ContainerPort)
		}
		// A pod gets no more requests, then those under way end, then its attempts do (10 s), and all that before it is killed.
		needs := 10 * time.Second
		for _, option := range []string{"shutdown_delay", "grace_period"} {
			m := regexp.MustCompile(`\t` + option + ` (\S+)\n`).FindStringSubmatch(file)
			require.Len(t, m, 2, option)
			took, err := time.ParseDuration(m[1])
			require.NoError(t, err)
			needs += took
		}
		require.Less(t, needs, time.Duration(*pod.TerminationGracePeriodSeconds)*time.Second)
	}
}

func TestScaling(t *testing.T) {
	t.Parallel()
	kinds := render(t, map[string]any{"api": map[string]any{"autoscaling": map[string]any{"enabled": true}}})
	h := kinds["HorizontalPodAutoscaler"][0].(*autoscalingv2.HorizontalPodAutoscaler)
	metric := h.Spec.Metrics[0].External.Metric
	require.Equal(t, "caddy_webhook_queue_oldest_due_seconds", metric.Name)
	require.Equal(t, map[string]string{"queue": "sender"}, metric.Selector.MatchLabels, "a gateway's queue has the same name")
	for _, o := range kinds["Deployment"] {
		if d := o.(*appsv1.Deployment); d.Name == h.Spec.ScaleTargetRef.Name {
			require.Nil(t, d.Spec.Replicas, "an upgrade must not set back the autoscaler's number")
		}
	}
}
