// Package clients is a Go gRPC client generated from our .proto, which calls every method.
//
// run.py generates the package api, starts the server and its user, and sets the environment.
package clients

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"gyre.test/clients/api"
)

const patience = 10 * time.Second

// A call of the table, with the answer that it has to get.
type call struct {
	Method  string
	Request json.RawMessage
	Answer  any
}

func client(t *testing.T) api.CentrifugoApiClient {
	t.Helper()
	connection, err := grpc.NewClient(os.Getenv("GYRE_GRPC"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	return api.NewCentrifugoApiClient(connection)
}

func with(t *testing.T, pairs ...string) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return metadata.AppendToOutgoingContext(ctx, pairs...)
}

func authorized(t *testing.T, pairs ...string) context.Context {
	t.Helper()
	return with(t, append(pairs, "authorization", "apikey "+os.Getenv("GYRE_GRPC_KEY"))...)
}

// differs says where an answer is not the wanted one; "$any" stands for anything.
func differs(found, wanted any, place string) string {
	switch wanted := wanted.(type) {
	case string:
		if wanted == "$any" {
			return ""
		}
	case map[string]any:
		found, ok := found.(map[string]any)
		if !ok || len(found) != len(wanted) {
			return fmt.Sprintf("%s is %v, not %v", place, found, wanted)
		}
		for key, value := range wanted {
			got, there := found[key]
			if !there {
				return place + "." + key + " is missing"
			}
			if difference := differs(got, value, place+"."+key); difference != "" {
				return difference
			}
		}
		return ""
	case []any:
		found, ok := found.([]any)
		if !ok || len(found) != len(wanted) {
			return fmt.Sprintf("%s is %v, not %v", place, found, wanted)
		}
		for index, value := range wanted {
			if difference := differs(found[index], value, fmt.Sprintf("%s[%d]", place, index)); difference != "" {
				return difference
			}
		}
		return ""
	}
	if !reflect.DeepEqual(found, wanted) {
		return fmt.Sprintf("%s is %v, not %v", place, found, wanted)
	}
	return ""
}

func TestEveryMethodGivesItsAnswer(t *testing.T) {
	file, err := os.ReadFile(os.Getenv("GYRE_CALLS"))
	if err != nil {
		t.Fatal(err)
	}
	var calls []call
	if err := json.Unmarshal(file, &calls); err != nil {
		t.Fatal(err)
	}
	service := reflect.ValueOf(client(t))
	called := map[string]bool{}
	for _, call := range calls {
		called[call.Method] = true
		t.Run(call.Method, func(t *testing.T) {
			method := service.MethodByName(call.Method)
			request := reflect.New(method.Type().In(1).Elem())
			if err := protojson.Unmarshal(call.Request, request.Interface().(proto.Message)); err != nil {
				t.Fatal(err)
			}
			results := method.Call([]reflect.Value{reflect.ValueOf(authorized(t)), request})
			if err, failed := results[1].Interface().(error); failed {
				t.Fatal(err)
			}
			text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(results[0].Interface().(proto.Message))
			if err != nil {
				t.Fatal(err)
			}
			var found any
			if err := json.Unmarshal(text, &found); err != nil {
				t.Fatal(err)
			}
			if difference := differs(found, call.Answer, "answer"); difference != "" {
				t.Errorf("%s: %s", call.Request, difference)
			}
		})
	}
	if len(called) != service.NumMethod() {
		t.Errorf("%d methods of %d were called", len(called), service.NumMethod())
	}
}

func TestWithoutTheKeyNothingIsAnswered(t *testing.T) {
	for _, pairs := range [][]string{{}, {"authorization", "apikey wrong"}} {
		_, err := client(t).Info(with(t, pairs...), &api.InfoRequest{})
		if status.Code(err) != codes.Unauthenticated {
			t.Errorf("%v: %v", pairs, err)
		}
	}
}

func TestAnErrorMayBeAStatusWithTheErrorInItsDetails(t *testing.T) {
	request := &api.PublishRequest{Channel: "nope:x", Data: []byte("1")}
	_, err := client(t).Publish(authorized(t, "x-centrifugo-error-mode", "transport"), request)
	found, _ := status.FromError(err)
	if found.Code() != codes.NotFound || len(found.Details()) != 1 {
		t.Fatalf("%v %v", found, found.Details())
	}
	if detail, ok := found.Details()[0].(*api.Error); !ok || detail.Code != 102 {
		t.Errorf("%v", found.Details()[0])
	}
}

func TestCompressedCallsAreAnswered(t *testing.T) {
	data := make([]byte, 100_000)
	for index := range data {
		data[index] = '1'
	}
	request := &api.PublishRequest{Channel: "room:zipped", Data: data}
	if _, err := client(t).Publish(authorized(t), request, grpc.UseCompressor(gzip.Name)); err != nil {
		t.Fatal(err)
	}
	history := &api.HistoryRequest{Channel: "room:zipped", Limit: 1}
	answer, err := client(t).History(authorized(t), history, grpc.UseCompressor(gzip.Name))
	if err != nil || len(answer.GetResult().GetPublications()) != 1 {
		t.Fatalf("%v %v", answer, err)
	}
}
