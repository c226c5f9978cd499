package servers

import "strings"

// Slot is where a key belongs in a cluster: the CRC16 of its hash tag, or of all of it.
func Slot(key string) int {
	if _, behind, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok := strings.Cut(behind, "}"); ok && tag != "" {
			key = tag
		}
	}
	const polynomial = 0x1021
	var crc uint16
	for i := range len(key) {
		crc ^= uint16(key[i]) << 8
		for range 8 {
			carry := crc >> 15
			crc = crc<<1 ^ carry*polynomial
		}
	}
	return int(crc) % slotCount
}

// MasterOf is which of n masters of a [Cluster] has a key, from 0 on.
func MasterOf(key string, n int) int {
	slot := Slot(key)
	for i := range n {
		if slot < (i+1)*slotCount/n {
			return i
		}
	}
	return n - 1
}
