package slslog_test

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/processor/slslog"
)

// A page is what one read brings; here it has one group.
func ExampleParse() {
	var b slslog.Builder
	at := time.Date(2026, time.November, 23, 9, 30, 0, 5000, time.UTC)
	_ = b.SetTopic("access")
	_ = b.AddTag("__client_ip__", "10.0.0.7")
	if err := b.AddLog(at,
		slslog.Content{Key: "path", Value: []byte("/index.html")},
		slslog.Content{Key: "status", Value: []byte("200")},
	); err != nil {
		fmt.Println(err) // a *LimitError: the group is full, for instance
	}
	page := append(binary.AppendUvarint([]byte{0x0a}, uint64(b.Size())), b.Bytes()...)

	groups, err := slslog.Parse(page)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, group := range groups {
		fmt.Printf("%s: %d log of %d bytes\n", group.Topic(), group.Len(), group.Size())
		for log := range group.Logs() {
			fmt.Println(log.Time().UTC().Format(time.RFC3339Nano))
			for key, value := range log.Contents() {
				fmt.Printf("%s=%s\n", key, value)
			}
		}
	}
	_, err = slslog.Parse(page[:len(page)-1])
	fmt.Println(err)

	// Output:
	// access: 1 log of 84 bytes
	// 2026-11-23T09:30:00.000005Z
	// path=/index.html
	// status=200
	// bad page of logs: at offset 0: length beyond the end
}
