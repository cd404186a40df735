package otelparley_test

import (
	"reflect"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	otelparley "github.com/parley-rpc/parley/ext/otel"
)

// numbered returns stats with another number in each field, which is that of the
// field.
func numbered(t *testing.T) (s otelparley.ClusterStats, fields int) {
	t.Helper()
	v := reflect.ValueOf(&s).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Int:
			f.SetInt(int64(i + 1))
		case reflect.Uint64:
			f.SetUint(uint64(i + 1))
		default:
			t.Fatalf("%s is of kind %v", v.Type().Field(i).Name, f.Kind())
		}
	}
	return s, v.NumField()
}

func TestEachFigureOfAClusterIsAMetric(t *testing.T) {
	l := newLab(t, setup{options: []otelparley.Option{otelparley.WithAttributes(attribute.String("tenant", "acme"))}})
	stats, fields := numbered(t)
	calls := 0
	err := l.telemetry.ObserveCluster(func() otelparley.ClusterStats { calls++; return stats }, attribute.String("node", "eu-1"))
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[int64]string)
	for name, data := range l.collect() {
		if !strings.HasPrefix(name, "parley.cluster.") {
			continue
		}
		sum, ok := data.(metricdata.Sum[int64])
		if !ok || len(sum.DataPoints) != 1 {
			t.Fatalf("%s is %T", name, data)
		}
		p := sum.DataPoints[0]
		want(t, p.Attributes, attribute.String("tenant", "acme"), attribute.String("node", "eu-1"))
		if other := seen[p.Value]; other != "" {
			t.Errorf("%s and %s are the same figure", name, other)
		}
		if field := reflect.ValueOf(stats).Field(int(p.Value) - 1); sum.IsMonotonic != (field.Kind() == reflect.Uint64) {
			t.Errorf("%s: monotonic is %v, and the field is of kind %v", name, sum.IsMonotonic, field.Kind())
		}
		seen[p.Value] = name
	}
	if len(seen) != fields || calls != 1 {
		t.Errorf("%d fields are %d metrics, and were read %d times: %v", fields, len(seen), calls, seen)
	}
	if n := l.sum("parley.cluster.bus.available", attribute.String("tenant", "acme"), attribute.String("node", "eu-1")); n != 1 {
		t.Errorf("an available bus is %d", n)
	}
}

func TestNodesOfOneProcessAreToldApart(t *testing.T) {
	l := newLab(t, setup{})
	names := []string{"eu-1", "eu-2"}
	for i, name := range names {
		err := l.telemetry.ObserveCluster(func() otelparley.ClusterStats { return otelparley.ClusterStats{Nodes: 10 + i} }, attribute.String("node", name))
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, name := range names {
		node := attribute.String("node", name)
		if n := l.sum("parley.cluster.node.count", node); n != int64(10+i) {
			t.Errorf("%s knows %d nodes", name, n)
		}
		if n := l.sum("parley.cluster.bus.available", node); n != 0 {
			t.Errorf("%s: a bus that is away is %d", name, n)
		}
	}
}

func TestAClosedTelemetryReadsNoCluster(t *testing.T) {
	l := newLab(t, setup{})
	calls := 0
	if err := l.telemetry.ObserveCluster(func() otelparley.ClusterStats { calls++; return otelparley.ClusterStats{} }); err != nil {
		t.Fatal(err)
	}
	if err := l.telemetry.Close(); err != nil {
		t.Fatal(err)
	}
	if l.collect(); calls != 0 {
		t.Errorf("it was read %d times", calls)
	}
}
