package front

import (
	"context"
	"io"
	"net"
	"testing"
)

func TestWhatIsSentComesBackAlsoAfterOneSideHasEnded(t *testing.T) {
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	go func() {
		one, err := echo.Accept()
		if err != nil {
			return
		}
		defer one.Close()
		text, _ := io.ReadAll(one) // answers only when the client has ended its side
		one.Write(text)
	}()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := free.Addr().String()
	free.Close()
	go Run(t.Context(), at, echo.Addr().String())
	client := dial(t.Context(), t, at)
	defer client.Close()
	client.Write([]byte("hello"))
	client.(*net.TCPConn).CloseWrite()
	text, err := io.ReadAll(client)
	if err != nil || string(text) != "hello" {
		t.Fatalf("%q, %v", text, err)
	}
}

// dial connects once somebody listens.
func dial(ctx context.Context, t *testing.T, at string) net.Conn {
	for ctx.Err() == nil {
		if client, err := net.Dial("tcp", at); err == nil {
			return client
		}
	}
	t.Fatal(ctx.Err())
	return nil
}
