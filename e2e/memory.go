package e2e

import (
	"bufio"
	"fmt"
	"os"
	"slices"
)

// LinearMemory is the size in bytes of each linear memory of a module, largest
// first: one for each worker, and perhaps one of the main thread. Envoy does
// not tell; but V8 reserves gigabytes of address space for each (guard pages
// instead of bounds checks), so it is the writable part in front of such a
// reservation.
func (e *Envoy) LinearMemory() ([]int64, error) {
	maps, err := os.Open(fmt.Sprintf("/proc/%d/maps", e.PID()))
	if err != nil {
		return nil, fmt.Errorf("e2e: envoy's memory: %w", err)
	}
	defer maps.Close()
	var sizes []int64
	var writable int64
	lines := bufio.NewScanner(maps)
	for lines.Scan() {
		var from, to uint64
		var rights string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &rights); err != nil {
			return nil, fmt.Errorf("e2e: envoy's memory: %w", err)
		}
		const reservation = 1 << 30
		switch {
		case rights == "rw-p":
			writable = int64(to - from)
			continue
		case rights == "---p" && to-from > reservation && writable > 0:
			sizes = append(sizes, writable)
		}
		writable = 0
	}
	slices.Sort(sizes)
	slices.Reverse(sizes)
	return sizes, lines.Err()
}
