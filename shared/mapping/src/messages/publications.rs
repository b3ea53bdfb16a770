use gyre_proto::api::*;

messages! {
    PublishRequest {
        channel, data, b64data, skip_history, tags, idempotency_key, delta, version,
        version_epoch,
    }
    PublishResult { offset, epoch }
    PublishResponse { error, result }
    BroadcastRequest {
        channels, data, b64data, skip_history, tags, idempotency_key, delta, version,
        version_epoch,
    }
    BroadcastResult { responses }
    BroadcastResponse { error, result }
}
