#!/bin/sh
# Makes the package `proxy` from proxy.proto. Needs Go and protoc; the plugins come with this module.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here"
mkdir -p bin
go build -o bin/protoc-gen-go google.golang.org/protobuf/cmd/protoc-gen-go
go build -o bin/protoc-gen-go-grpc google.golang.org/grpc/cmd/protoc-gen-go-grpc
file=centrifugal/centrifugo/proxy/proxy.proto
package=M$file=gyre.example/backend/proxy
PATH="$here/bin:$PATH" ${PROTOC:-protoc} -I ../../../proto \
  --go_out=. --go_opt=module=gyre.example/backend --go_opt=$package \
  --go-grpc_out=. --go-grpc_opt=module=gyre.example/backend --go-grpc_opt=$package $file
