package wazerohost

import (
	"errors"
	"time"
)

// rootContext is a plugin configuration inside a VM. Several may live side by
// side: an old one serves its streams until they end.
type rootContext struct {
	*moduleContext
	vm     *vm
	config []byte

	configReadable bool // the configuration buffer exists only during configure
	created        bool
	streams        int
	retired        bool
	donePending    bool // on_done said no; proxy_done is awaited
	gone           bool

	period   time.Duration
	stopTick func()

	calls     map[uint32]*Call
	nextToken uint32
	answer    *callAnswer // while on_http_call_response runs
	statusMsg string
}

var (
	errStartRefused     = errors.New("on_vm_start returned false")
	errConfigureRefused = errors.New("on_configure returned false")
)

// startPlugin makes a root context and configures it: on_context_create,
// on_vm_start, on_configure.
func (v *vm) startPlugin(config []byte) (*rootContext, error) {
	r := &rootContext{vm: v, config: config, calls: map[uint32]*Call{}, nextToken: 1}
	r.moduleContext = v.newContext()
	r.moduleContext.root = r
	r.configReadable = true
	v.enter(r.moduleContext, "proxy_on_context_create", 0)
	r.configReadable = false
	r.created = true
	if o := v.enter(r.moduleContext, "proxy_on_vm_start", uint32(len(v.host.cfg.VMConfig))); o.failed {
		return nil, v.failed
	} else if o.present && o.value == 0 {
		return r, errStartRefused
	}
	r.configReadable = true
	o := v.enter(r.moduleContext, "proxy_on_configure", uint32(len(config)))
	r.configReadable = false
	if o.failed {
		return nil, v.failed
	}
	if o.present && o.value == 0 {
		return r, errConfigureRefused
	}
	return r, nil
}

// setTick arms the plugin's timer; 0 stops it.
func (r *rootContext) setTick(period time.Duration) {
	if r.stopTick != nil {
		r.stopTick()
		r.stopTick = nil
	}
	r.period = period
	if period > 0 && !r.gone && !r.vm.canary {
		r.armTick()
	}
}

func (r *rootContext) armTick() {
	r.stopTick = r.vm.host.cfg.Clock.AfterFunc(r.period, func() {
		r.vm.loop.do(func() {
			if r.gone || r.period == 0 {
				return
			}
			r.tick()
			if r.period > 0 && !r.gone && r.vm.failed == nil {
				r.setTick(r.period)
			}
		})
	})
}

func (r *rootContext) tick() {
	if !r.gone {
		r.vm.enter(r.moduleContext, "proxy_on_tick")
	}
}

// retire begins the plugin's end: at once, or when its last stream has ended.
func (r *rootContext) retire() {
	r.retired = true
	r.endIfIdle()
}

func (r *rootContext) endIfIdle() {
	if !r.retired || r.streams > 0 || r.gone || r.donePending {
		return
	}
	o := r.vm.enter(r.moduleContext, "proxy_on_done")
	if o.failed {
		return
	}
	if o.present && o.value == 0 {
		r.donePending = true
		return
	}
	r.delete()
}

func (r *rootContext) delete() {
	if r.gone {
		return
	}
	r.vm.enter(r.moduleContext, "proxy_on_delete")
	r.abandon()
	delete(r.vm.contexts, r.id)
}

// abandon stops the plugin's tick and cancels its calls.
func (r *rootContext) abandon() {
	r.setTick(0)
	r.gone = true
	for _, c := range r.calls {
		c.abandon()
	}
	clear(r.calls)
}

// done is proxy_done: it ends a plugin whose on_done had asked to wait.
func (r *rootContext) done() status {
	if !r.donePending {
		return statusNotFound
	}
	r.donePending = false
	r.vm.deferCall(r.delete)
	return statusOK
}
