use gyre_proto::api::*;

messages! {
    MapPublishRequest {
        channel, key, data, b64data, stream_data, b64stream_data, tags, idempotency_key, delta,
        version, version_epoch, score, key_mode,
    }
    MapPublishResult { offset, epoch, suppressed, suppress_reason }
    MapPublishResponse { error, result }
    MapRemoveRequest { channel, key, idempotency_key }
    MapRemoveResult { offset, epoch, suppressed, suppress_reason }
    MapRemoveResponse { error, result }
    MapReadStateRequest { channel, cursor, limit, key, asc, revision_offset, revision_epoch }
    MapReadStateResult { entries, offset, epoch, cursor }
    MapReadStateResponse { error, result }
    MapEntry { key, data, tags, offset, score, removed, time }
    MapReadStreamRequest { channel, since_offset, since_epoch, limit, reverse }
    MapReadStreamResult { entries, offset, epoch }
    MapReadStreamResponse { error, result }
    MapStatsRequest { channel }
    MapStatsResult { num_keys }
    MapStatsResponse { error, result }
    MapClearRequest { channel }
    MapClearResult {}
    MapClearResponse { error, result }
    SharedPollPublishRequest { channel, key, data, b64data, version, epoch }
    SharedPollPublishResult {}
    SharedPollPublishResponse { error, result }
}
