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
	"strconv"
	"time"

	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/types"

	"github.com/postern-auth/postern/internal/abi"
	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/gate"
	"github.com/postern-auth/postern/internal/httpmsg"
)

const (
	// firstTick comes as soon as the host can make calls: it cannot while it
	// starts us.
	firstTick = time.Millisecond
	// tick is how often we look whether something is due.
	tick = time.Second
	// maxFlows is how many requests of one worker may need the network at once.
	maxFlows = 1024
	// maxAnswer is the largest answer to a call that is copied out of the
	// host, in bytes, whatever the call allows.
	maxAnswer = 512 << 10
)

// NewVM returns the context of the VM, which makes a plugin context for each
// configuration.
func NewVM() types.VMContext { return &vm{} }

type vm struct{ types.DefaultVMContext }

// NewPluginContext implements types.VMContext.
func (*vm) NewPluginContext(uint32) types.PluginContext { return &plugin{} }

// plugin is one configuration at work on one worker.
type plugin struct {
	types.DefaultPluginContext
	gate   *gate.Gate
	flows  *flow.Scheduler
	now    time.Time
	ticked bool
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
	p.now = abi.Now()
	p.gate, err = gate.New(settings, gate.Deps{Now: p.clock, Random: rand.Reader, Log: logEvent})
	if err != nil {
		abi.Log(abi.LevelCritical, "postern: "+err.Error())
		return types.OnPluginStartStatusFailed
	}
	p.flows = flow.NewScheduler(dispatch, p.clock)
	if err := abi.SetTick(firstTick); err != nil {
		abi.Log(abi.LevelCritical, "postern: "+err.Error())
		return types.OnPluginStartStatusFailed
	}
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

func logEvent(e gate.Event) {
	level := abi.LevelWarn
	if e.Routine() {
		level = abi.LevelInfo
	}
	abi.Log(level, "postern: "+e.JSON())
}

// clock is the time to the tick. No decision needs it closer, and asking the
// host would be a call more for each request.
func (p *plugin) clock() time.Time { return p.now }

// OnTick implements types.PluginContext.
func (p *plugin) OnTick() {
	p.now = abi.Now()
	if !p.ticked {
		p.ticked = true
		if err := abi.SetTick(tick); err != nil {
			abi.Log(abi.LevelError, "postern: "+err.Error())
		}
	}
	for _, due := range p.gate.Due() {
		p.flows.Go(due)
	}
	p.flows.Tick()
}

// NewHttpContext implements types.PluginContext.
func (p *plugin) NewHttpContext(id uint32) types.HttpContext {
	if p.gate == nil {
		return nil // refused at start: without a context the request is denied
	}
	return &stream{plugin: p, id: id}
}

// dispatch sends a flow's call. It fails with flow.ErrNotSent: what is
// wrong with a cluster is for the operator to see, in the log.
func dispatch(c flow.Call) (uint32, error) {
	header := make([][2]string, 0, 4+len(c.Header))
	header = append(header,
		[2]string{":method", c.Method}, [2]string{":scheme", c.Scheme},
		[2]string{":authority", c.Authority}, [2]string{":path", c.Path})
	for _, f := range c.Header {
		header = append(header, [2]string{f.Name, f.Value})
	}
	id, err := abi.DispatchCall(c.Cluster, header, c.Body, c.Timeout)
	if err != nil {
		abi.Log(abi.LevelError, "postern: no call through cluster "+strconv.Quote(c.Cluster)+": "+err.Error())
		return 0, flow.ErrNotSent
	}
	return id, nil
}

// OnHttpCallResponse implements abi.CallReceiver.
func (p *plugin) OnHttpCallResponse(id uint32, _, _, _ int) {
	p.now = abi.Now()
	header, body, err := abi.CallResponse(maxAnswer)
	if err != nil {
		p.flows.Deliver(id, flow.Response{}, callError(err))
		return
	}
	r := flow.Response{Body: body}
	for _, f := range header {
		if f[0] == ":status" {
			r.Status, _ = strconv.Atoi(f[1])
			continue
		}
		r.Header = append(r.Header, httpmsg.Field{Name: f[0], Value: f[1]})
	}
	p.flows.Deliver(id, r, nil)
}

func callError(err error) error {
	if err == abi.ErrTooLarge {
		return flow.ErrTooLarge
	}
	return flow.ErrUnavailable
}
