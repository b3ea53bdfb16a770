use gyre_proto::api::*;

messages! {
    SubscribeRequest {
        channel, user, expire_at, info, b64info, client, data, b64data, recover_since,
        r#override, session, label_filter, all_users,
    }
    SubscribeOptionOverride {
        presence, join_leave, force_recovery, force_positioning, force_push_join_leave,
    }
    SubscribeResult {}
    SubscribeResponse { error, result }
    UnsubscribeRequest { channel, user, client, session, label_filter, all_users }
    UnsubscribeResult {}
    UnsubscribeResponse { error, result }
    DisconnectRequest { user, disconnect, client, whitelist, session, label_filter, all_users }
    Disconnect { code, reason }
    DisconnectResult {}
    DisconnectResponse { error, result }
    RefreshRequest { user, client, expired, expire_at, info, session, label_filter, all_users }
    RefreshResult {}
    RefreshResponse { error, result }
    ConnectionsRequest { user, expression, label_filter, cursor, limit }
    ConnectionsResult { connections always, next_cursor }
    ConnectionsResponse { error, result }
    ConnectionInfo {
        app_name, app_version, transport, protocol, user, state, connected_at_ms,
        ping_pong_latency_ms, labels,
    }
    ConnectionState { channels, connection_token, subscription_tokens, meta }
    ChannelContext { source }
    ConnectionTokenInfo { uid, issued_at }
    SubscriptionTokenInfo { uid, issued_at }
}
