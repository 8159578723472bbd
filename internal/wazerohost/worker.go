package wazerohost

import (
	"errors"
	"fmt"
	"strings"
)

// worker is one event loop with its VM.
type worker struct {
	host    *Host
	index   int
	loop    *loop
	vm      *vm
	streams map[*Stream]bool
}

func (h *Host) newWorker(index int) *worker {
	return &worker{host: h, index: index, loop: newLoop(), streams: map[*Stream]bool{}}
}

// load makes the worker's VM and its plugin.
func (w *worker) load(config []byte) error {
	v, err := w.host.newVM(w.loop, false)
	if err != nil {
		return err
	}
	v.worker = w.index
	w.vm = v
	root, err := v.startPlugin(config)
	v.root = root
	if err != nil {
		v.failed = err
		return fmt.Errorf("wazerohost: worker %d: %w", w.index, err)
	}
	return nil
}

// reconfigure puts a new root context beside the old one, which goes on serving
// its streams and ends with the last of them.
func (w *worker) reconfigure(config []byte) error {
	if w.vm.failed != nil {
		return w.load(config)
	}
	old := w.vm.root
	root, err := w.vm.startPlugin(config)
	if err != nil {
		if root != nil {
			root.abandon()
			delete(w.vm.contexts, root.id)
		}
		return fmt.Errorf("wazerohost: worker %d: %w", w.index, err)
	}
	w.vm.root = root
	old.retire()
	return nil
}

// open takes a request in.
func (w *worker) open(headers *headerMap, end bool, prepare func(*Stream)) *Stream {
	w.reviveIfDue()
	s := w.newStream()
	prepare(s)
	w.streams[s] = true
	s.request.log = headers
	if w.vm.failed != nil {
		s.vm = w.vm
		s.openWithoutVM(headers, end)
		return s
	}
	s.vm, s.root = w.vm, w.vm.root
	s.ctx = w.vm.newContext()
	s.ctx.root, s.ctx.stream = s.root, s
	s.root.streams++
	if r := w.vm.enter(s.ctx, "proxy_on_context_create", s.root.id); r.failed {
		s.openWithoutVM(headers, end)
		return s
	}
	s.request.start(headers, end)
	s.noteHolding()
	return s
}

// openWithoutVM is a request for which there is no living VM.
func (s *Stream) openWithoutVM(headers *headerMap, end bool) {
	if s.failsOpen() {
		s.failed = true
		s.request.start(headers, end)
		return
	}
	s.fail()
}

// reviveIfDue replaces a trapped VM under FailReload, but not one that was loaded
// only just now.
func (w *worker) reviveIfDue() {
	if w.vm.failed == nil || w.host.cfg.FailurePolicy != FailReload {
		return
	}
	now := w.host.cfg.Clock.Now()
	if now.Before(w.vm.loadedAt.Add(w.host.cfg.ReloadBackoff)) {
		return
	}
	dead := w.vm
	config := w.host.pluginConfig()
	if err := w.load(config); err != nil {
		w.host.log(LevelError, err.Error())
		if w.vm == dead {
			dead.loadedAt = now
		}
	}
	if w.vm != dead {
		dead.close()
	}
}

func (w *worker) remove(s *Stream) { delete(w.streams, s) }

// shutDown ends the streams and the plugins, and then the VM.
func (w *worker) shutDown() {
	for s := range w.streams {
		s.end()
	}
	w.loop.runLater()
	if w.vm == nil {
		return
	}
	for _, id := range sortedIDs(w.vm.contexts) {
		if c := w.vm.contexts[id]; c != nil && c.stream == nil {
			c.root.retire()
		}
	}
	w.vm.close()
}

// canary starts a configuration in a throw-away VM. The error carries what the
// module logged.
func (h *Host) tryCanary(config []byte) error {
	l := newLoop()
	defer l.close()
	var err error
	l.do(func() { err = h.runCanary(l, config) })
	return err
}

func (h *Host) runCanary(l *loop, config []byte) error {
	v, err := h.newVM(l, true)
	if err != nil {
		return err
	}
	defer v.close()
	_, err = v.startPlugin(config)
	if err == nil {
		return nil
	}
	refused := errors.Is(err, errConfigureRefused) || errors.Is(err, errStartRefused)
	if refused && len(v.logs) > 0 {
		return fmt.Errorf("wazerohost: %w: %s", err, strings.Join(v.logs, "\n"))
	}
	return fmt.Errorf("wazerohost: %w", err)
}
