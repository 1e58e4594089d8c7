package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// getTime is how long an answer may take; a connection that a network policy drops never gets one.
const getTime = 3 * time.Second

// get asks the URL of the second argument and prints the answer. An answer of any status counts as reached.
func get(<-chan os.Signal) error {
	if len(os.Args) != 3 {
		return errors.New("want hello get URL")
	}
	client := &http.Client{Timeout: getTime}
	answer, err := client.Get(os.Args[2])
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<16))
	if err != nil {
		return err
	}
	fmt.Printf("%s\n%s", answer.Status, text)
	return nil
}
