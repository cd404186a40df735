package ws_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// fromHost is a connection from an address that does nothing.
type fromHost struct {
	net.Conn
	host   string
	number int
	closed chan struct{}
}

func (c *fromHost) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.ParseIP(c.host), Port: 1000 + c.number}
}

func (c *fromHost) Close() error {
	close(c.closed)
	return nil
}

func (c *fromHost) String() string { return fmt.Sprintf("%s/%d", c.host, c.number) }

// arrivals is a listener whose connections the test makes.
type arrivals struct {
	conns chan net.Conn
	errs  chan error
	done  chan struct{}
	close func()
}

func newArrivals() *arrivals {
	a := &arrivals{conns: make(chan net.Conn), errs: make(chan error), done: make(chan struct{})}
	a.close = sync.OnceFunc(func() { close(a.done) })
	return a
}

func (a *arrivals) Accept() (net.Conn, error) {
	select {
	case c := <-a.conns:
		return c, nil
	case err := <-a.errs:
		return nil, err
	case <-a.done:
		return nil, net.ErrClosed
	}
}

func (a *arrivals) Close() error {
	a.close()
	return nil
}

func (*arrivals) Addr() net.Addr { return new(net.TCPAddr) }

// arrive makes n connections from a host.
func (a *arrivals) arrive(host string, n int) []*fromHost {
	conns := make([]*fromHost, n)
	for i := range conns {
		conns[i] = &fromHost{host: host, number: i, closed: make(chan struct{})}
		a.conns <- conns[i]
	}
	return conns
}

// taken is a server that accepts connections, and does nothing.
type taken struct {
	web   *http.Server
	conns chan net.Conn
	err   chan error
}

func take(ln *arrivals) *taken {
	s := &taken{web: new(http.Server), conns: make(chan net.Conn, 4096), err: make(chan error, 1)}
	paced := ws.Pace(s.web, ln)
	go func() {
		for {
			c, err := paced.Accept()
			if err == nil {
				s.conns <- c
				continue
			}
			s.err <- err
			if errors.Is(err, net.ErrClosed) {
				return
			}
		}
	}()
	return s
}

// next returns the accepted connections.
func (s *taken) next() (names []string) {
	synctest.Wait()
	for {
		select {
		case c := <-s.conns:
			names = append(names, c.(*fromHost).String())
		default:
			return names
		}
	}
}

// young is how many new connections are served at once.
func young() int { return 2 * runtime.GOMAXPROCS(0) }

func TestPacedConnectionsAreTakenFromEachHostInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newArrivals()
		defer ln.close()
		s := take(ln)
		flood := ln.arrive("192.0.2.1", 10*young())
		synctest.Wait() // the first of them are taken before another address has any
		ln.arrive("192.0.2.2", 2)
		if got := s.next(); len(got) != young() {
			t.Fatalf("%d connections were taken at once, want %d", len(got), young())
		}
		for _, c := range flood[:2] {
			s.web.ConnState(c, http.StateHijacked)
		}
		want := fmt.Sprint([]string{flood[young()].String(), "192.0.2.2/0"})
		if got := fmt.Sprint(s.next()); got != want {
			t.Errorf("taken next: %v, want %v", got, want)
		}
	})
}

func TestPacedConnectionThatSaysNothingDelaysOthersByMilliseconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newArrivals()
		defer ln.close()
		s := take(ln)
		ln.arrive("192.0.2.1", 2*young())
		s.next()
		<-time.After(5 * time.Millisecond)
		if got := s.next(); len(got) != young() {
			t.Errorf("%d connections were taken after 5 ms, want %d", len(got), young())
		}
	})
}

func TestPacedListenerLeavesConnectionsToTheKernelWhereManyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newArrivals()
		defer ln.close()
		s := take(ln)
		served := ln.arrive("192.0.2.1", young())
		s.next()
		ln.arrive("192.0.2.1", 1024)
		accepted := make(chan struct{})
		go func() {
			defer close(accepted)
			ln.arrive("192.0.2.2", 1)
		}()
		s.web.ConnState(served[0], http.StateNew) // changes nothing
		synctest.Wait()
		select {
		case <-accepted:
			t.Error("a connection was accepted where 1,024 wait")
		default:
		}
		s.web.ConnState(served[0], http.StateClosed)
		<-accepted
		s.web.ConnState(served[1], http.StateClosed)
		if got := s.next(); len(got) != 2 {
			t.Errorf("taken: %v, want one for each that was closed", got)
		}
	})
}

func TestPacedListenerReportsErrorsAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newArrivals()
		defer ln.close()
		s := take(ln)
		for range 2 {
			ln.errs <- errors.New("too many open files")
			if err := <-s.err; err.Error() != "too many open files" {
				t.Error(err)
			}
		}
		ln.arrive("192.0.2.1", 1)
		if got := s.next(); len(got) != 1 {
			t.Errorf("taken after the error: %v", got)
		}
	})
}

func TestPacedListenerClosesWhatWasNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newArrivals()
		web := new(http.Server)
		paced := ws.Pace(web, ln)
		got := make(chan net.Conn, young())
		go func() {
			for range young() {
				c, _ := paced.Accept()
				got <- c
			}
		}()
		conns := ln.arrive("192.0.2.1", young()+1)
		synctest.Wait()
		_ = paced.Close()
		<-conns[young()].closed
		if _, err := paced.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept after Close: %v", err)
		}
		for _, c := range conns[:young()] {
			select {
			case <-c.closed:
				t.Errorf("%v, which was taken, is closed", c)
			default:
			}
		}
		synctest.Wait() // the new connections are forgotten
		<-time.After(time.Second)
	})
}

func TestPaceCallsTheConnStateOfTheServer(t *testing.T) {
	var states []http.ConnState
	web := &http.Server{ConnState: func(_ net.Conn, s http.ConnState) { states = append(states, s) }}
	ws.Pace(web, newArrivals())
	c := &fromHost{}
	web.ConnState(c, http.StateNew)
	web.ConnState(c, http.StateHijacked)
	if want := "[new hijacked]"; fmt.Sprint(states) != want {
		t.Errorf("%v, want %v", states, want)
	}
}

// Many clients connect at once, with TLS and without, along with silent
// connections.
func TestPacedServerUpgradesAllClientsOfACrowd(t *testing.T) {
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if c, err := new(ws.Upgrader).Upgrade(w, r); err == nil {
					_, _ = c.NextReader() // until the client closes
					_ = c.Close(transport.CloseNormal, "")
				}
			}))
			defer srv.Close()
			at := srv.Listener.Addr().String()
			srv.Listener = ws.Pace(srv.Config, srv.Listener)
			d, url := new(ws.Dialer), "ws://"+at
			if secure {
				srv.StartTLS()
				url = "wss://" + at
				d.TLSConfig = &tls.Config{RootCAs: x509.NewCertPool()}
				d.TLSConfig.RootCAs.AddCert(srv.Certificate())
			} else {
				srv.Start()
			}
			for range 3 * young() {
				silent, err := net.Dial("tcp", at)
				if err != nil {
					t.Fatal(err)
				}
				defer silent.Close()
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var clients sync.WaitGroup
			for range 100 {
				clients.Go(func() {
					c, err := d.Dial(ctx, url)
					if err != nil {
						t.Error(err)
						return
					}
					_ = c.Close(transport.CloseNormal, "") // was open
				})
			}
			clients.Wait()
		})
	}
}
