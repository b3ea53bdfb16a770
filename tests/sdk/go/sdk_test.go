// The published Go SDK against the built server: what its own tests, which run.py runs as well, leave out.
package sdk

import (
	"fmt"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/centrifugal/centrifuge-go"
)

const patience = 10 * time.Second

// cutter is a TCP proxy that drops all connections and refuses new ones until it is mended.
type cutter struct {
	listener net.Listener
	mutex    sync.Mutex
	whole    bool
	open     map[net.Conn]struct{}
}

func startCutter(t *testing.T, target string) *cutter {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{listener: listener, whole: true, open: map[net.Conn]struct{}{}}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", target)
			if err != nil || !c.keep(client, server) {
				_ = client.Close()
				continue
			}
			go copyUntilClosed(client, server)
			go copyUntilClosed(server, client)
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		c.cut()
	})
	return c
}

func copyUntilClosed(from, to net.Conn) {
	buffer := make([]byte, 64*1024)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			_, _ = to.Write(buffer[:n])
		}
		if err != nil {
			_ = from.Close()
			_ = to.Close()
			return
		}
	}
}

func (c *cutter) keep(conns ...net.Conn) bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if !c.whole {
		for _, conn := range conns {
			_ = conn.Close()
		}
		return false
	}
	for _, conn := range conns {
		c.open[conn] = struct{}{}
	}
	return true
}

func (c *cutter) cut() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.whole = false
	for conn := range c.open {
		_ = conn.Close()
	}
	c.open = map[net.Conn]struct{}{}
}

func (c *cutter) mend() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.whole = true
}

func receive[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(patience):
		t.Fatalf("no %s within %v", what, patience)
		panic("unreachable")
	}
}

func newClient(format, address string) *centrifuge.Client {
	config := centrifuge.Config{MinReconnectDelay: 10 * time.Millisecond, MaxReconnectDelay: 100 * time.Millisecond}
	url := "ws://" + address + "/connection/websocket"
	if format == "protobuf" {
		return centrifuge.NewProtobufClient(url, config)
	}
	return centrifuge.NewJsonClient(url, config)
}

// TestCut: nothing is missed or doubled when the connection is cut, in either format.
func TestCut(t *testing.T) {
	target := os.Getenv("GYRE_ADDRESS")
	if target == "" {
		t.Fatal("GYRE_ADDRESS is not set: address of a server, as run.py starts it")
	}
	for _, format := range []string{"json", "protobuf"} {
		t.Run(format, func(t *testing.T) { testCut(t, format, target) })
	}
}

func testCut(t *testing.T, format, target string) {
	channel := fmt.Sprintf("cut-%s-%d", format, time.Now().UnixNano())
	publisher := newClient(format, target)
	defer publisher.Close()
	if err := publisher.Connect(); err != nil {
		t.Fatal(err)
	}
	publish := func(from, to int) {
		for n := from; n <= to; n++ {
			if _, err := publisher.Publish(t.Context(), channel, fmt.Appendf(nil, "%d", n)); err != nil {
				t.Fatal(err)
			}
		}
	}

	proxy := startCutter(t, target)
	client := newClient(format, proxy.listener.Addr().String())
	defer client.Close()
	subscription, err := client.NewSubscription(channel)
	if err != nil {
		t.Fatal(err)
	}
	arrived := make(chan string, 1000)
	subscribed := make(chan centrifuge.SubscribedEvent, 10)
	subscribing := make(chan centrifuge.SubscribingEvent, 10)
	subscription.OnPublication(func(e centrifuge.PublicationEvent) { arrived <- string(e.Data) })
	subscription.OnSubscribed(func(e centrifuge.SubscribedEvent) { subscribed <- e })
	subscription.OnSubscribing(func(e centrifuge.SubscribingEvent) { subscribing <- e })
	if err := client.Connect(); err != nil {
		t.Fatal(err)
	}
	if err := subscription.Subscribe(); err != nil {
		t.Fatal(err)
	}
	receive(t, subscribed, "subscribed event")
	receive(t, subscribing, "subscribing event")
	publish(1, 10)
	for start := 10; start < 50; start += 20 {
		proxy.cut()
		receive(t, subscribing, "subscribing event")
		publish(start+1, start+10)
		proxy.mend()
		publish(start+11, start+20)
		if event := receive(t, subscribed, "subscribed event"); !event.WasRecovering || !event.Recovered {
			t.Fatalf("not recovered: %+v", event)
		}
	}
	for n := 1; n <= 50; n++ {
		if got := receive(t, arrived, "publication"); got != fmt.Sprint(n) {
			t.Fatalf("publication %d has data %s", n, got)
		}
	}
	select {
	case extra := <-arrived:
		t.Fatalf("publication too much: %s", extra)
	default:
	}
}
