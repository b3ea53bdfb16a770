package clients

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	both "gyre.test/clients/client"
	"gyre.test/clients/unistream"
)

func streams(t *testing.T) *grpc.ClientConn {
	t.Helper()
	connection, err := grpc.NewClient(os.Getenv("GYRE_STREAMS"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	return connection
}

func publish(t *testing.T, channel string, data string) {
	t.Helper()
	body := fmt.Sprintf(`{"channel":%q,"data":%s}`, channel, data)
	request, err := http.NewRequest("POST", os.Getenv("GYRE_STREAMS_API")+"/publish", bytes.NewBufferString(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-API-Key", os.Getenv("GYRE_STREAMS_KEY"))
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatal(answer.Status)
	}
}

// next gives the next push that is no ping.
func next(t *testing.T, stream grpc.ServerStreamingClient[unistream.Push]) *unistream.Push {
	t.Helper()
	for {
		push, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		push.Padding = nil
		if proto.Size(push) > 0 {
			return push
		}
	}
}

func TestAStreamIsConsumedCutAndResumed(t *testing.T) {
	const channel = "news:go"
	service := unistream.NewCentrifugoUniStreamClient(streams(t))
	request := func(wish *unistream.SubscribeRequest) *unistream.ConnectRequest {
		subs := map[string]*unistream.SubscribeRequest{channel: wish}
		return &unistream.ConnectRequest{Token: os.Getenv("GYRE_STREAMS_TOKEN"), Subs: subs}
	}
	first, err := service.Consume(with(t), request(&unistream.SubscribeRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	position := next(t, first).GetConnect().GetSubs()[channel]
	publish(t, channel, `"before"`)
	push := next(t, first)
	if push.Channel != channel || string(push.GetPub().GetData()) != `"before"` {
		t.Fatal(push)
	}

	publish(t, channel, `"between"`)
	resumed, err := service.Consume(with(t), request(&unistream.SubscribeRequest{
		Recover: true, Epoch: position.Epoch, Offset: push.GetPub().Offset,
	}))
	if err != nil {
		t.Fatal(err)
	}
	again := next(t, resumed).GetConnect().GetSubs()[channel]
	if !again.GetRecovered() || len(again.GetPublications()) != 1 || string(again.Publications[0].Data) != `"between"` {
		t.Fatal(again)
	}
	publish(t, channel, `"after"`)
	if push := next(t, resumed); string(push.GetPub().GetData()) != `"after"` {
		t.Fatal(push)
	}
}

// A connection over the stream that goes both ways.
type connection struct {
	*testing.T
	stream grpc.BidiStreamingClient[both.Command, both.Reply]
}

// next gives the next reply that is no ping; pings are answered.
func (c connection) next() *both.Reply {
	c.Helper()
	for {
		reply, err := c.stream.Recv()
		if err != nil {
			c.Fatal(err)
		}
		reply.Padding = nil
		if proto.Size(reply) > 0 {
			return reply
		}
		c.say(&both.Command{})
	}
}

func (c connection) say(commands ...*both.Command) {
	c.Helper()
	for _, command := range commands {
		if err := c.stream.Send(command); err != nil {
			c.Fatal(err)
		}
	}
}

func TestTheClientProtocolOverOneCall(t *testing.T) {
	const channel = "news:go-both"
	stream, err := both.NewClientServiceClient(streams(t)).Connect(with(t))
	if err != nil {
		t.Fatal(err)
	}
	c := connection{t, stream}
	c.say(
		&both.Command{Id: 1, Connect: &both.ConnectRequest{Token: os.Getenv("GYRE_STREAMS_TOKEN"), Name: "go"}},
		&both.Command{Id: 2, Subscribe: &both.SubscribeRequest{Channel: channel}},
	)
	if reply := c.next(); reply.Id != 1 || reply.GetConnect().GetClient() == "" {
		t.Fatal(reply)
	}
	if reply := c.next(); reply.Id != 2 || !reply.GetSubscribe().GetRecoverable() {
		t.Fatal(reply)
	}
	publish(t, channel, `{"a":1}`)
	if push := c.next().GetPush(); push.GetChannel() != channel || string(push.GetPub().GetData()) != `{"a":1}` {
		t.Fatal(push)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := stream.Recv(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
