package clustertest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/parley-rpc/parley/ext/cluster"
	otelparley "github.com/parley-rpc/parley/ext/otel"
	"github.com/parley-rpc/parley/rpc/health"
)

// A node has metrics, and reports its health.
func Example() {
	reader := metric.NewManualReader()
	telemetry, err := otelparley.New(otelparley.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(reader))))
	if err != nil {
		panic(err)
	}
	defer telemetry.Close()
	node, err := cluster.New(cluster.Config{})
	if err != nil {
		panic(err)
	}
	defer node.Close()

	//snippet:metrics
	err = telemetry.ObserveCluster(func() otelparley.ClusterStats {
		return otelparley.ClusterStats(node.Stats())
	}, attribute.String("node", node.Name()))
	//snippet:end
	if err != nil {
		panic(err)
	}
	//snippet:health
	status := health.NewServer()
	node.ReportHealth(status)
	http.Handle("/healthz", status)
	//snippet:end

	answer := httptest.NewRecorder()
	http.DefaultServeMux.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/healthz?service=cluster", http.NoBody))
	fmt.Print(answer.Body)
	var collected metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &collected); err != nil {
		panic(err)
	}
	for _, m := range collected.ScopeMetrics[0].Metrics {
		if sum, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == "parley.cluster.bus.available" {
			fmt.Println(m.Name, sum.DataPoints[0].Value)
		}
	}
	// Output:
	// SERVING
	// parley.cluster.bus.available 1
}
