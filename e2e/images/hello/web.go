package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// drainTime is how long requests under way get to end after SIGTERM.
const drainTime = 25 * time.Second

// web serves / (the text and the version), /healthz, /slow (answers after ?for=, a duration), /env?name= and /elected.
// START_DELAY delays listening, READY_FAIL makes /healthz answer 503, DRAIN_DELAY goes on serving that long after SIGTERM.
func web(stop <-chan os.Signal) error {
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	if delay := duration("START_DELAY"); delay > 0 {
		log.Printf("START_DELAY: waiting %s", delay)
		time.Sleep(delay)
	}
	var served atomic.Int64
	server := &http.Server{Addr: ":" + port, Handler: count(&served, routes()), ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	log.Printf("version %s listens on :%s", version(), port)
	select {
	case err := <-ended:
		return err
	case <-stop:
	}
	log.Printf("draining after %d requests", served.Load())
	time.Sleep(duration("DRAIN_DELAY"))
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return fmt.Errorf("requests were still under way after %s: %w", drainTime, err)
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	log.Printf("drained after %d requests", served.Load())
	return nil
}

func routes() *http.ServeMux {
	text := os.Getenv("TEXT")
	if text == "" {
		text = "Hello"
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "%s (version %s)\n", text, version())
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if os.Getenv("READY_FAIL") != "" {
			http.Error(w, "READY_FAIL is set", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, r *http.Request) {
		delay, err := time.ParseDuration(r.URL.Query().Get("for"))
		if err != nil {
			http.Error(w, "want ?for=2s", http.StatusBadRequest)
			return
		}
		time.Sleep(delay)
		fmt.Fprintf(w, "after %s\n", delay)
	})
	mux.HandleFunc("GET /env", func(w http.ResponseWriter, r *http.Request) {
		value, found := os.LookupEnv(r.URL.Query().Get("name"))
		if !found {
			http.Error(w, "not set", http.StatusNotFound)
			return
		}
		fmt.Fprintln(w, value)
	})
	mux.HandleFunc("GET /elected", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, elected()) })
	return mux
}

func count(served *atomic.Int64, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		next.ServeHTTP(w, r)
	})
}
