package rpc_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

func TestOldConnectionIsLeftInGoodOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		finish, told := make(chan struct{}), make(chan error, 2)
		srv := rpc.NewServer(rpc.WithMaxConnectionAge(time.Hour, time.Minute))
		register(srv, unary, patientHandler(finish, told))
		p := serveRaw(t, srv)
		began := time.Now()
		stop := p.stayAlive()
		p.write(openFrame(1, block(methodField(unary))), dataFrame(1, frame.FlagEnd, encoded(t, "question")))
		if err := <-told; err != nil {
			t.Errorf("told by cancellation: %v", err)
		}
		if age := time.Since(began); age < 54*time.Minute || age > 66*time.Minute {
			t.Errorf("told after %v", age)
		}
		stop()
		p.wantNotice()
		p.write(moved())
		if info := p.wantGoAway(); info.LastStream != 1 {
			t.Errorf("GOAWAY %+v", info)
		}
		close(finish)
		p.want(frame.TypeData, 1)
		p.wantStatus(1, rpc.CodeOK)
		p.wantGone(transport.CloseGoingAway)
	})
}

func TestOldConnectionIsClosedWhenItsGraceIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := make(chan error, 2)
		srv := rpc.NewServer(rpc.WithMaxConnectionAge(time.Hour, time.Minute))
		register(srv, unary, patientHandler(nil, told))
		p := serveRaw(t, srv)
		stop := p.stayAlive()
		p.write(openFrame(1, block(methodField(unary))), dataFrame(1, frame.FlagEnd, encoded(t, "question")))
		<-told
		began := time.Now()
		if err := <-told; !errors.Is(err, context.Canceled) || time.Since(began) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		stop()
		p.wantNotice()
		p.wantGoAway()
		p.wantGone(transport.CloseGoingAway)
	})
}

func TestAgesOfConnectionsAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := rpc.NewServer(rpc.WithMaxConnectionAge(time.Hour, time.Minute))
		const clients = 50
		ages := make(chan time.Duration, clients)
		began := time.Now()
		for range clients {
			p := serveRaw(t, srv)
			stop := p.stayAlive()
			go func() {
				p.wantNotice()
				ages <- time.Since(began)
				stop()
			}()
		}
		least, most := 2*time.Hour, time.Duration(0)
		for range clients {
			age := <-ages
			least, most = min(least, age), max(most, age)
		}
		if least < 54*time.Minute || most > 66*time.Minute || most-least < 6*time.Minute {
			t.Errorf("from %v to %v", least, most)
		}
	})
}

func TestMalformedAgeIsRefusedAtConstruction(t *testing.T) {
	for _, opt := range []rpc.ServerOption{rpc.WithMaxConnectionAge(0, time.Second), rpc.WithMaxConnectionAge(time.Hour, -1)} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("it was taken")
				}
			}()
			rpc.NewServer(opt)
		}()
	}
}
