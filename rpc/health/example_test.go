package health_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/rpc/health"
)

func Example() {
	srv := rpc.NewServer(rpc.WithDrain(rpc.Drain{Spread: -1}))
	//snippet:health
	status := health.NewServer()
	srv.Register(status.Service())

	mux := http.NewServeMux()
	mux.Handle("/rpc", srv)
	mux.Handle("/healthz", status) // for a load balancer that asks by HTTP

	status.Set("acme.users.v1.UserService", health.Serving)
	//snippet:end
	web := httptest.NewServer(mux)
	defer web.Close()

	client := rpc.NewClient("ws" + strings.TrimPrefix(web.URL, "http") + "/rpc")
	defer client.Close()
	watched := make(chan health.Status)
	go func() {
		defer close(watched)
		//snippet:health-watch
		for now, err := range health.NewClient(client).Watch(context.Background(), "acme.users.v1.UserService") {
			if err != nil {
				return // it is not known any more how the service is
			}
			watched <- now
		}
		//snippet:end
	}()
	fmt.Println(<-watched)

	//snippet:health-shutdown
	status.Shutdown() // probes and watchers are told NOT_SERVING
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil { // watchers do not hold it up
		log.Print(err)
	}
	//snippet:end
	fmt.Println(<-watched)
	<-watched
	// Output:
	// SERVING
	// NOT_SERVING
}
