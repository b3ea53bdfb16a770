use gyre_proto::proxy::*;

messages! {
    Error { code, message, temporary }
    Disconnect { code, reason }
    FilterNode { op, key, cmp, val, vals, nodes }
    BoolValue { value }
    ChannelsCapability { channels, allow, r#match }
    SubscribeOptionOverride { presence, join_leave, force_recovery, force_positioning, force_push_join_leave }
    SubscribeOptions { expire_at, info, b64info, data, b64data, r#override, server_tags_filter, cache_recover }
    ConnectRequest { client, transport, protocol, encoding, data, b64data, name, version, channels }
    ConnectResult { user, expire_at, info, b64info, data, b64data, channels, subs, meta, caps, labels }
    ConnectResponse { result, error, disconnect }
    RefreshRequest { client, transport, protocol, encoding, user always, meta, labels }
    RefreshResult { expired, expire_at, info, b64info, meta, caps }
    RefreshResponse { result, error, disconnect }
    SubscribeRequest {
        client, transport, protocol, encoding, user always, channel, token, meta, data, b64data, labels
    }
    SubscribeResult { expire_at, info, b64info, data, b64data, r#override, allow, server_tags_filter }
    SubscribeResponse { result, error, disconnect }
    PublishRequest {
        client, transport, protocol, encoding, user always, channel, data, b64data, meta, labels
    }
    PublishResult { data, b64data, skip_history, tags, idempotency_key, delta, version, version_epoch }
    PublishResponse { result, error, disconnect }
    RpcRequest {
        client, transport, protocol, encoding, user always, method, data, b64data, meta, labels
    }
    RpcResult { data, b64data }
    RpcResponse { result, error, disconnect }
    SubRefreshRequest { client, transport, protocol, encoding, user always, channel, meta, labels }
    SubRefreshResult { expired, expire_at, info, b64info }
    SubRefreshResponse { result, error, disconnect }
    MapPublishRequest {
        client, transport, protocol, encoding, user, channel, key, data, b64data, meta, labels
    }
    MapPublishResult {
        key, data, b64data, tags, score, key_mode, stream_data, b64stream_data, idempotency_key,
        delta, version, version_epoch
    }
    MapPublishResponse { result, error, disconnect }
    MapRemoveRequest { client, transport, protocol, encoding, user, channel, key, meta, labels }
    MapRemoveResult { key, tags, idempotency_key }
    MapRemoveResponse { result, error, disconnect }
    SharedPollRefreshRequest { channel, items }
    SharedPollRefreshItem { key, version }
    SharedPollRefreshResult { items, epoch }
    SharedPollRefreshResultItem { key, data, version, removed, prev_data }
    SharedPollRefreshResponse { result, error }
    Publication { data, tags }
    StreamSubscribeRequest { subscribe_request, publication }
    StreamSubscribeResponse { subscribe_response, publication }
    NotifyCacheEmptyRequest { channel }
    NotifyCacheEmptyResult { populated }
    NotifyCacheEmptyResponse { result }
    NotifyChannelStateRequest { events }
    ChannelEvent { time_ms, channel, r#type, generation }
    NotifyChannelStateResult {}
    NotifyChannelStateResponse { result, error }
}
