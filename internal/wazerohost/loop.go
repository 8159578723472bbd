package wazerohost

import "sync"

// loop runs tasks one after another on one goroutine, as an Envoy worker does.
// Its queue has no bound: a task may post to its own loop without blocking.
type loop struct {
	mu      sync.Mutex
	wake    *sync.Cond
	tasks   []func()
	closed  bool
	stopped chan struct{}

	// later holds what a task leaves to be done at its very end, such as the
	// deletion of a stream in whose callback it still was. Loop goroutine only.
	later []func()
}

func newLoop() *loop {
	l := &loop{stopped: make(chan struct{})}
	l.wake = sync.NewCond(&l.mu)
	go l.run()
	return l
}

func (l *loop) run() {
	defer close(l.stopped)
	for {
		task, ok := l.take()
		if !ok {
			return
		}
		task()
		l.runLater()
	}
}

func (l *loop) runLater() {
	for len(l.later) > 0 {
		f := l.later[0]
		l.later = l.later[1:]
		f()
	}
}

func (l *loop) take() (func(), bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.tasks) == 0 {
		if l.closed {
			return nil, false
		}
		l.wake.Wait()
	}
	task := l.tasks[0]
	l.tasks = l.tasks[1:]
	return task, true
}

// post queues a task; it reports whether the loop will still run it.
func (l *loop) post(task func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.tasks = append(l.tasks, task)
	l.wake.Signal()
	return true
}

// do runs a task and waits for it and for what it left for its end. It must not
// be called from the loop itself. On a closed loop it does nothing.
func (l *loop) do(task func()) bool {
	done := make(chan struct{})
	if !l.post(func() { defer close(done); task(); l.runLater() }) {
		return false
	}
	<-done
	return true
}

// close lets the queued tasks run out and waits for the goroutine to end.
func (l *loop) close() {
	l.mu.Lock()
	l.closed = true
	l.wake.Broadcast()
	l.mu.Unlock()
	<-l.stopped
}
