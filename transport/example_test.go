package transport_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
	"github.com/parley-rpc/parley/transport/ws"
)

// shout accepts streams until the session ends and answers each message in
// capitals.
func shout(s *transport.Session) {
	ctx := context.Background()
	for {
		st, err := s.Accept(ctx)
		if err != nil {
			return // the session has ended
		}
		go func() {
			defer st.Close()
			for {
				m, err := st.Recv(ctx, nil)
				if errors.Is(err, io.EOF) {
					_ = st.CloseSend(ctx, []byte("goodbye"))
					return
				}
				if err != nil || st.Send(ctx, bytes.ToUpper(m.Bytes), transport.SendOptions{}) != nil {
					return // the stream was abandoned
				}
			}
		}()
	}
}

// say opens a stream on s, says some words and prints the answers.
func say(s *transport.Session, words ...string) error {
	ctx := context.Background()
	st, err := s.Open(ctx, []byte("a header, if you like"))
	if err != nil {
		return err
	}
	defer st.Close()
	for _, word := range words {
		if err := st.Send(ctx, []byte(word), transport.SendOptions{}); err != nil {
			return err
		}
	}
	if err := st.CloseSend(ctx, nil); err != nil {
		return err
	}
	for {
		m, err := st.Recv(ctx, nil)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		fmt.Printf("%s\n", m.Bytes)
	}
	trailer, _ := st.Trailer()
	fmt.Printf("at the end: %s\n", trailer)
	return nil
}

// Two sessions on the two ends of any message connection, here one in memory.
// Either may open streams.
func Example() {
	left, right := pipe.New(pipe.Config{})
	dialer, err := transport.NewSession(left, transport.Dialer, transport.Config{})
	if err != nil {
		log.Fatal(err)
	}
	acceptor, err := transport.NewSession(right, transport.Acceptor, transport.Config{})
	if err != nil {
		log.Fatal(err)
	}
	go shout(acceptor)
	go shout(dialer)

	if err := say(dialer, "one", "two"); err != nil {
		log.Fatal(err)
	}
	if err := say(acceptor, "three"); err != nil {
		log.Fatal(err)
	}

	_ = dialer.Close(transport.CloseNormal, "done")
	<-acceptor.Done()
	fmt.Println(acceptor.Err())
	// Output:
	// ONE
	// TWO
	// at the end: goodbye
	// THREE
	// at the end: goodbye
	// closed by the peer with code 1000: done
}

// The same over a WebSocket.
func Example_webSocket() {
	var upgrader ws.Upgrader
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r)
		if err != nil {
			return // Upgrade has answered
		}
		s, err := transport.NewSession(conn, transport.Acceptor, transport.Config{Parameters: transport.Parameters{MaxMessage: 1 << 20}})
		if err != nil {
			log.Fatal(err)
		}
		shout(s)
	}))

	var dialer ws.Dialer
	conn, err := dialer.Dial(context.Background(), strings.Replace(server.URL, "http", "ws", 1))
	if err != nil {
		log.Fatal(err)
	}
	s, err := transport.NewSession(conn, transport.Dialer, transport.Config{})
	if err != nil {
		log.Fatal(err)
	}
	if err := say(s, "hello", "over there"); err != nil {
		log.Fatal(err)
	}
	_ = s.Close(transport.CloseNormal, "done")
	server.Close()
	// Output:
	// HELLO
	// OVER THERE
	// at the end: goodbye
}

// A peer that sends more than is read must wait, and no other peer.
func ExampleStream_Send() {
	left, right := pipe.New(pipe.Config{})
	s, err := transport.NewSession(left, transport.Dialer, transport.Config{})
	if err != nil {
		log.Fatal(err)
	}
	deaf, err := transport.NewSession(right, transport.Acceptor, transport.Config{})
	if err != nil {
		log.Fatal(err)
	}
	st, err := s.Open(context.Background(), nil)
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	sent := make(chan error)
	go func() { sent <- st.Send(ctx, make([]byte, 1<<20), transport.SendOptions{}) }()

	took, err := s.Ping(context.Background()) // goes through
	fmt.Println(took > 0, err)
	cancel()
	fmt.Println(<-sent)
	_ = st.Close() // the message was half sent: the stream is reset

	_ = s.Close(transport.CloseNormal, "")
	_ = deaf.Close(transport.CloseNormal, "")
	// Output:
	// true <nil>
	// context canceled
}
