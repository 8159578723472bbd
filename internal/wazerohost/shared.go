package wazerohost

import "sync"

// SharedData is the store behind proxy_get_shared_data: keyed by VM id and key,
// guarded by compare-and-set, without deletion or expiry.
type SharedData struct {
	mu      sync.Mutex
	nextCAS uint32
	data    map[string]map[string]sharedValue
}

type sharedValue struct {
	value []byte
	cas   uint32
}

// NewSharedData is an empty store.
func NewSharedData() *SharedData {
	return &SharedData{data: map[string]map[string]sharedValue{}}
}

func (d *SharedData) get(vmID, key string) (sharedValue, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v, ok := d.data[vmID][key]
	return v, ok
}

// set writes unconditionally when cas is 0 or the key is new.
func (d *SharedData) set(vmID, key string, value []byte, cas uint32) status {
	d.mu.Lock()
	defer d.mu.Unlock()
	old, exists := d.data[vmID][key]
	if exists && cas != 0 && cas != old.cas {
		return statusCasMismatch
	}
	if d.data[vmID] == nil {
		d.data[vmID] = map[string]sharedValue{}
	}
	d.nextCAS++
	if d.nextCAS == 0 { // 0 would mean "unconditional"
		d.nextCAS = 1
	}
	d.data[vmID][key] = sharedValue{value: value, cas: d.nextCAS}
	return statusOK
}

// Keys is the number of keys under a VM id, for tests that bound it.
func (d *SharedData) Keys(vmID string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.data[vmID])
}

// Poke writes a value as a hostile neighbour with the same VM id could.
func (d *SharedData) Poke(vmID, key string, value []byte) {
	d.set(vmID, key, append([]byte(nil), value...), 0)
}

// Peek reads a value as a neighbour could.
func (d *SharedData) Peek(vmID, key string) ([]byte, bool) {
	v, ok := d.get(vmID, key)
	return append([]byte(nil), v.value...), ok
}

// queues are the shared queues of one host.
type queues struct {
	mu    sync.Mutex
	byKey map[[2]string]uint32
	list  []*queue
}

type queue struct {
	items [][]byte
	ready func() // tells the root context that registered it
}

// register makes the queue or moves an existing one's readiness to a new owner.
func (q *queues) register(vmID, name string, ready func(token uint32)) uint32 {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.byKey == nil {
		q.byKey = map[[2]string]uint32{}
	}
	token, ok := q.byKey[[2]string{vmID, name}]
	if !ok {
		q.list = append(q.list, &queue{})
		token = uint32(len(q.list))
		q.byKey[[2]string{vmID, name}] = token
	}
	q.list[token-1].ready = func() { ready(token) }
	return token
}

func (q *queues) resolve(vmID, name string) (uint32, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	token, ok := q.byKey[[2]string{vmID, name}]
	return token, ok
}

func (q *queues) enqueue(token uint32, item []byte) status {
	q.mu.Lock()
	defer q.mu.Unlock()
	if token == 0 || int(token) > len(q.list) {
		return statusNotFound
	}
	found := q.list[token-1]
	found.items = append(found.items, item)
	found.ready()
	return statusOK
}

func (q *queues) dequeue(token uint32) ([]byte, status) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if token == 0 || int(token) > len(q.list) {
		return nil, statusNotFound
	}
	found := q.list[token-1]
	if len(found.items) == 0 {
		return nil, statusEmpty
	}
	item := found.items[0]
	found.items = found.items[1:]
	return item, statusOK
}
