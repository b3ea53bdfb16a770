// A backend of an application, asked over gRPC: who may connect, subscribe, publish and call, and what
// happens then. `go run . [ADDRESS]` after `sh generate.sh`, and in another terminal
// `gyre -c ../backend-grpc.json`. What all fields mean is in docs/events.md.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"gyre.example/backend/proxy"
)

type backend struct {
	proxy.UnimplementedCentrifugoProxyServer // what is not served is answered with a status
	ttl                                      int64
}

// later is when a connection or a subscription is asked about again. Unit: Unix seconds.
func (b backend) later() int64 { return time.Now().Unix() + b.ttl }

func refuse(code uint32, message string) *proxy.Error {
	return &proxy.Error{Code: code, Message: message}
}

// m is an object of JSON.
type m map[string]any

func (object m) json() []byte {
	text, _ := json.Marshal(object) // texts and numbers always have a form
	return text
}

func (b backend) Connect(_ context.Context, event *proxy.ConnectRequest) (*proxy.ConnectResponse, error) {
	var data struct{ User string }
	if json.Unmarshal(event.Data, &data); data.User == "" {
		return &proxy.ConnectResponse{Disconnect: &proxy.Disconnect{Code: 4501, Reason: "unauthorized"}}, nil
	}
	name := strings.ToUpper(data.User[:1]) + data.User[1:]
	return &proxy.ConnectResponse{Result: &proxy.ConnectResult{
		User: data.User, ExpireAt: b.later(), Info: m{"name": name}.json(),
		Data: m{"hello": data.User}.json(), Meta: m{"plan": "free"}.json(), Channels: []string{"news"},
	}}, nil
}

func (b backend) Refresh(_ context.Context, event *proxy.RefreshRequest) (*proxy.RefreshResponse, error) {
	if event.User == "mallory" {
		return &proxy.RefreshResponse{Result: &proxy.RefreshResult{Expired: true}}, nil
	}
	return &proxy.RefreshResponse{Result: &proxy.RefreshResult{ExpireAt: b.later()}}, nil
}

func (b backend) Subscribe(_ context.Context, event *proxy.SubscribeRequest) (*proxy.SubscribeResponse, error) {
	if event.User == "mallory" {
		return &proxy.SubscribeResponse{Error: refuse(403, "not for you")}, nil
	}
	var meta struct{ Plan string }
	json.Unmarshal(event.Meta, &meta)
	return &proxy.SubscribeResponse{Result: &proxy.SubscribeResult{
		ExpireAt: b.later(), Info: m{"plan": meta.Plan}.json(), Data: m{"welcome": event.Channel}.json(),
	}}, nil
}

func (b backend) SubRefresh(context.Context, *proxy.SubRefreshRequest) (*proxy.SubRefreshResponse, error) {
	return &proxy.SubRefreshResponse{Result: &proxy.SubRefreshResult{ExpireAt: b.later()}}, nil
}

func (backend) Publish(_ context.Context, event *proxy.PublishRequest) (*proxy.PublishResponse, error) {
	var message struct{ Text string }
	if json.Unmarshal(event.Data, &message); message.Text == "" {
		return &proxy.PublishResponse{Error: refuse(400, "a message has a text")}, nil
	}
	return &proxy.PublishResponse{Result: &proxy.PublishResult{
		Data: m{"text": message.Text, "from": event.User}.json(), Tags: map[string]string{"user": event.User},
	}}, nil
}

func (backend) RPC(_ context.Context, event *proxy.RPCRequest) (*proxy.RPCResponse, error) {
	if event.Method != "add" {
		return &proxy.RPCResponse{Error: refuse(404, "no such method")}, nil
	}
	var numbers []int
	json.Unmarshal(event.Data, &numbers)
	sum := 0
	for _, number := range numbers {
		sum += number
	}
	return &proxy.RPCResponse{Result: &proxy.RPCResult{Data: m{"sum": sum}.json()}}, nil
}

// NotifyCacheEmpty says that a channel's newest publication is not there: publish it, and say so.
func (backend) NotifyCacheEmpty(_ context.Context, event *proxy.NotifyCacheEmptyRequest) (*proxy.NotifyCacheEmptyResponse, error) {
	body := bytes.NewReader(m{"channel": event.Channel, "data": m{"score": 0}}.json())
	request, err := http.NewRequest("POST", env("GYRE_API", "http://127.0.0.1:8000/api")+"/publish", body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("X-API-Key", env("GYRE_API_KEY", "dev"))
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	return &proxy.NotifyCacheEmptyResponse{Result: &proxy.NotifyCacheEmptyResult{Populated: answer.StatusCode == 200}}, nil
}

// NotifyChannelState tells which channels came into use or fell out of it. An event may come twice; its
// generation tells.
func (backend) NotifyChannelState(_ context.Context, request *proxy.NotifyChannelStateRequest) (*proxy.NotifyChannelStateResponse, error) {
	for _, event := range request.Events {
		fmt.Println(event.Type, event.Channel, event.Generation)
	}
	return &proxy.NotifyChannelStateResponse{Result: &proxy.NotifyChannelStateResult{}}, nil
}

// SubscribeUnidirectional answers the subscribe, then sends the time until the client leaves.
func (backend) SubscribeUnidirectional(_ *proxy.SubscribeRequest, stream proxy.CentrifugoProxy_SubscribeUnidirectionalServer) error {
	if err := stream.Send(&proxy.StreamSubscribeResponse{SubscribeResponse: &proxy.SubscribeResponse{}}); err != nil {
		return err
	}
	for beat := time.Tick(time.Second); ; {
		tick := &proxy.Publication{Data: m{"time": time.Now().Unix()}.json()}
		if err := stream.Send(&proxy.StreamSubscribeResponse{Publication: tick}); err != nil {
			return err
		}
		select {
		case <-beat:
		case <-stream.Context().Done():
			return nil
		}
	}
}

// SubscribeBidirectional answers the subscribe, then sends back what the client publishes.
func (backend) SubscribeBidirectional(stream proxy.CentrifugoProxy_SubscribeBidirectionalServer) error {
	for {
		message, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		answer := &proxy.StreamSubscribeResponse{Publication: message.Publication}
		if message.SubscribeRequest != nil {
			answer.SubscribeResponse = &proxy.SubscribeResponse{}
		}
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
}

func env(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func main() {
	address := "127.0.0.1:3001"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		log.Fatal(err)
	}
	ttl, err := strconv.ParseInt(env("TTL_SECONDS", "300"), 10, 64)
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	proxy.RegisterCentrifugoProxyServer(server, backend{ttl: ttl})
	fmt.Println("asked on", listener.Addr())
	log.Fatal(server.Serve(listener))
}
