#!/bin/sh
# Runs a server with a prefix of its own on a shared Redis, so that it finds nothing of those before it.
GYRE_ENGINE_REDIS_PREFIX="test$$-$(date +%s%N)" exec "$@"
