// Package front carries TCP connections from this machine's loopback to the node port of the router, because names below
// localhost lead there without any DNS. A node port itself does not answer at 127.0.0.1.
package front

import (
	"context"
	"io"
	"log"
	"net"
	"time"
)

// Run accepts at one address and connects to the other until the context ends. An address that is taken is told, and the
// cluster goes on without it.
func Run(ctx context.Context, listen, to string) {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		log.Printf("the router is not at %s: %v", listen, err)
		return
	}
	go func() {
		<-ctx.Done()
		listener.Close()
	}()
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		go carry(ctx, client, to)
	}
}

func carry(ctx context.Context, client net.Conn, to string) {
	defer client.Close()
	dialer := net.Dialer{Timeout: 5 * time.Second}
	router, err := dialer.DialContext(ctx, "tcp", to)
	if err != nil {
		return
	}
	defer router.Close()
	done := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{client, router}, {router, client}} {
		go func() {
			io.Copy(way[1], way[0])
			// The other way may still have something to say.
			if half, ok := way[1].(*net.TCPConn); ok {
				half.CloseWrite()
			}
			done <- struct{}{}
		}()
	}
	for range 2 {
		select {
		case <-done:
		case <-ctx.Done():
			return
		}
	}
}
