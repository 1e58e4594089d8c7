// Package progress shows on a terminal, or in a log, what a long command is doing and how long each step takes.
package progress

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// Display prints one line per step. On a terminal a running step's seconds count up in place.
type Display struct {
	out      io.Writer
	terminal bool
	mu       sync.Mutex
	running  []*Step
	drawn    bool
	stop     chan struct{}
}

// Step is one piece of work under way.
type Step struct {
	display *Display
	text    string
	start   time.Time
}

// New is a display on the given file; the counting line appears only on a terminal.
func New(out *os.File) *Display {
	info, err := out.Stat()
	d := &Display{out: out, terminal: err == nil && info.Mode()&os.ModeCharDevice != 0, stop: make(chan struct{})}
	if d.terminal {
		go d.tick()
	}
	return d
}

// Start announces a step.
func (d *Display) Start(format string, args ...any) *Step {
	step := &Step{display: d, text: fmt.Sprintf(format, args...), start: time.Now()}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running = append(d.running, step)
	d.draw()
	return step
}

// Done ends the step; a step with an error is marked, the caller reports the error itself.
func (s *Step) Done(err error) {
	d := s.display
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, step := range d.running {
		if step == s {
			d.running = append(d.running[:i], d.running[i+1:]...)
			break
		}
	}
	mark := "✓"
	if err != nil {
		mark = "✗"
	}
	d.clear()
	fmt.Fprintf(d.out, "%s %-64s %6.1f s\n", mark, s.text, time.Since(s.start).Seconds())
	d.draw()
}

// Say prints a line between the steps.
func (d *Display) Say(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clear()
	fmt.Fprintf(d.out, format+"\n", args...)
	d.draw()
}

// Run is a step around one function.
func (d *Display) Run(text string, work func() error) error {
	step := d.Start("%s", text)
	err := work()
	step.Done(err)
	return err
}

// Close ends the counting line.
func (d *Display) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.terminal {
		close(d.stop)
		d.terminal = false
	}
	d.clear()
}

func (d *Display) tick() {
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-d.stop:
			return
		case <-ticker.C:
			d.mu.Lock()
			d.draw()
			d.mu.Unlock()
		}
	}
}

func (d *Display) clear() {
	if d.drawn {
		fmt.Fprint(d.out, "\r\x1b[K")
		d.drawn = false
	}
}

func (d *Display) draw() {
	if !d.terminal || len(d.running) == 0 {
		return
	}
	step, more := d.running[0], ""
	if n := len(d.running) - 1; n > 0 {
		more = fmt.Sprintf(" (and %d more)", n)
	}
	fmt.Fprintf(d.out, "\r\x1b[K… %s%s %.0f s", step.text, more, time.Since(step.start).Seconds())
	d.drawn = true
}
