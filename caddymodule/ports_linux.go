package caddymodule

import (
	"bufio"
	"encoding/hex"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// listenersOfOthers are the TCP sockets of this machine, or this container, that listen and belong to another process.
func listenersOfOthers() (others []netip.AddrPort) {
	own := ownSockets()
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		file, err := os.Open(table)
		if err != nil {
			continue // not for us to see: nothing can be said
		}
		others = append(others, listeners(file, own)...)
		file.Close()
	}
	return others
}

// ownSockets are the inodes of this process' sockets.
func ownSockets() map[string]bool {
	own := map[string]bool{}
	files, _ := filepath.Glob("/proc/self/fd/*")
	for _, file := range files {
		if name, err := os.Readlink(file); err == nil {
			if inode, ok := strings.CutPrefix(name, "socket:["); ok {
				own[strings.TrimSuffix(inode, "]")] = true
			}
		}
	}
	return own
}

// listeners reads a table of the kernel: the address in the second column, the state in the fourth, the inode in the tenth.
func listeners(table io.Reader, own map[string]bool) (found []netip.AddrPort) {
	const listening = "0A"
	for lines := bufio.NewScanner(table); lines.Scan(); {
		columns := strings.Fields(lines.Text())
		if len(columns) < 10 || columns[3] != listening || own[columns[9]] {
			continue
		}
		if address, ok := kernelAddress(columns[1]); ok {
			found = append(found, address)
		}
	}
	return found
}

// kernelAddress reads an address as the kernel prints it: words of four bytes, each the machine's own way round, which is the
// lowest byte first wherever this runs, and the port.
func kernelAddress(text string) (a netip.AddrPort, ok bool) {
	host, port, _ := strings.Cut(text, ":")
	b, err := hex.DecodeString(host)
	number, err2 := strconv.ParseUint(port, 16, 16)
	if err != nil || err2 != nil || len(b)%4 != 0 {
		return a, false
	}
	for word := range slices.Chunk(b, 4) {
		slices.Reverse(word)
	}
	addr, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(addr.Unmap(), uint16(number)), ok
}
