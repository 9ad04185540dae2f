#!/bin/sh
# Fails when the committed stubs are not what embedder.proto gives; `make protos` regenerates them.
# Usage: check_protos.sh PYTHON
set -eu

fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
"$1" -m grpc_tools.protoc -I protos \
    --python_out="$fresh" --grpc_python_out="$fresh" --pyi_out="$fresh" embedder_api/v1/embedder.proto
for stub in embedder_pb2.py embedder_pb2.pyi embedder_pb2_grpc.py; do
    diff -u "protos/embedder_api/v1/$stub" "$fresh/embedder_api/v1/$stub" || {
        echo "protos/embedder_api/v1/$stub is not what embedder.proto gives: run make protos" >&2
        exit 1
    }
done
