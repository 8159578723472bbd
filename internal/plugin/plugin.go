// Package plugin is Postern as Envoy sees it: the contexts of the proxy-wasm
// SDK, with a gate behind each plugin context. It reads requests, runs the
// gate's flows over dispatched calls and ticks, and carries out each verdict
// exactly once. It is the only room that knows both the ABI and the gate, and
// it decides nothing itself.
//
// All state belongs to a plugin context: one VM may serve two configurations
// at the same time.
package plugin

import (
	"crypto/rand"
	"os"
	"time"

	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/types"

	"github.com/postern-auth/postern/internal/abi"
	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/gate"
)

const (
	// firstTick comes as soon as the host can make calls: it cannot while it
	// starts us.
	firstTick = time.Millisecond
	// tick is how often we look whether something is due, at least.
	tick = time.Second
	// nearTick is how often we look while a flow waits for less than a tick.
	nearTick = 25 * time.Millisecond
	// maxFlows is how many flows of one worker may need the network at once. Those
	// of tokens, with what is asked about them, come to five sixths of it at most.
	maxFlows = 1536
)

// NewVM returns the context of the VM, which makes a plugin context for each
// configuration.
func NewVM() types.VMContext { return &vm{meters: newMeters()} }

// vm is what the configurations of one VM have in common: what its host knows
// their metrics by. All else belongs to each of them.
type vm struct {
	types.DefaultVMContext
	meters *meters
}

// NewPluginContext implements types.VMContext.
func (v *vm) NewPluginContext(id uint32) types.PluginContext {
	return &plugin{
		id: id, meters: v.meters,
		reading: map[uint32]*stream{},
	}
}

// plugin is one configuration at work on one worker.
type plugin struct {
	types.DefaultPluginContext
	id     uint32
	gate   *gate.Gate
	flows  *flow.Scheduler
	meters *meters
	tally  tally
	now    time.Time
	period time.Duration // of the ticks

	reading map[uint32]*stream // streams that wait for their body
	bodies  bool               // the host lets bodies through: one came
	watched watchlist          // open streams that an ending cuts
	over    func(*gate.Watch) bool
	leaving bool // other settings are in force; it ends with its last flow
}

// OnPluginStart implements types.PluginContext: it takes the settings, or
// refuses them with every problem in the log.
func (p *plugin) OnPluginStart(int) types.OnPluginStartStatus {
	settings, err := config.Parse(abi.PluginConfiguration(), os.LookupEnv)
	if err != nil {
		abi.Log(abi.LevelCritical, "postern: settings refused:")
		for _, line := range problems(err) {
			abi.Log(abi.LevelCritical, "postern: "+line)
		}
		return types.OnPluginStartStatusFailed
	}
	for _, path := range settings.Insecure() {
		abi.Log(abi.LevelWarn, "postern: "+path+" is on")
	}
	p.exact()
	p.gate, err = gate.New(settings, gate.Deps{
		Now: p.clock, Clock: p.exact, Random: rand.Reader, Log: tell, Meter: p.meters,
		Shared: &memory{}, Signal: newSignal(), Connection: connection{},
	})
	if err != nil {
		abi.Log(abi.LevelCritical, "postern: "+err.Error())
		return types.OnPluginStartStatusFailed
	}
	p.over = p.gate.Over
	p.flows = flow.NewScheduler(dispatch, p.exact)
	p.flows.OnCall = p.called
	if err := abi.SetTick(firstTick); err != nil {
		abi.Log(abi.LevelCritical, "postern: "+err.Error())
		return types.OnPluginStartStatusFailed
	}
	p.period = firstTick
	return types.OnPluginStartStatusOK
}

func problems(err error) (lines []string) {
	list, ok := err.(config.Problems)
	if !ok {
		return []string{err.Error()}
	}
	for _, problem := range list {
		lines = append(lines, problem.String())
	}
	return lines
}

// clock is the time to the tick. No decision needs it closer, and asking the
// host would be a call more for each request.
func (p *plugin) clock() time.Time { return p.now }

// exact is the host's time. What a flow or a wait is measured by is never
// ahead of what the clock shows afterwards.
func (p *plugin) exact() time.Time {
	p.now = abi.Now()
	return p.now
}

// OnTick implements types.PluginContext.
func (p *plugin) OnTick() {
	p.exact()
	if p.leaving {
		p.leave()
		return
	}
	defer func() { p.setTick(p.wantedTick()) }()
	p.cutStreams()
	p.endReading()
	for _, due := range p.gate.Due() {
		p.flows.Go(due, requestID())
	}
	p.flows.Tick()
	p.measure()
}

// OnPluginDone implements types.PluginContext: other settings took the place of
// these, and the last of their requests is over. What belongs to no request goes
// on to its end: to cut off a renewal that the provider was asked for would lose
// its tokens.
func (p *plugin) OnPluginDone() bool {
	p.leaving = true
	return p.left()
}

// left reports whether nothing is under way any more. It stops the ticks then: a
// host goes on with them for a context that it has deleted.
func (p *plugin) left() bool {
	if p.gate == nil {
		return true
	}
	p.measure()
	if p.flows.Active() > 0 {
		return false
	}
	p.setTick(0)
	return true
}

// leave is a tick of a plugin whose settings are not in force any more.
func (p *plugin) leave() {
	p.flows.Tick()
	if !p.left() {
		p.setTick(p.wantedTick())
		return
	}
	complain(abi.Done())
}

// wantedTick is how often we have to look now.
func (p *plugin) wantedTick() time.Duration {
	period := min(tick, p.gate.Interval())
	if next, ok := p.flows.Next(); ok && next.Sub(p.now) < period {
		period = min(period, nearTick)
	}
	return period
}

// hastenTick has the host tick sooner where a flow began a short wait. Only a
// tick makes it slower again: each change begins the period anew, and many of
// them would put the next tick off for ever.
func (p *plugin) hastenTick() {
	if wanted := p.wantedTick(); wanted < p.period {
		p.setTick(wanted)
	}
}

func (p *plugin) setTick(period time.Duration) {
	if period == p.period {
		return
	}
	if err := abi.SetTick(period); err != nil {
		abi.Log(abi.LevelError, "postern: "+err.Error())
		return
	}
	p.period = period
}

// NewHttpContext implements types.PluginContext.
func (p *plugin) NewHttpContext(id uint32) types.HttpContext {
	if p.gate == nil {
		return nil // refused at start: without a context the request is denied
	}
	return &stream{plugin: p, id: id}
}
