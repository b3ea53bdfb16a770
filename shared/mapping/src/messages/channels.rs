use gyre_proto::api::*;

messages! {
    PresenceRequest { channel }
    PresenceResult { presence always }
    PresenceResponse { error, result }
    PresenceStatsRequest { channel }
    PresenceStatsResult { num_clients always, num_users always }
    PresenceStatsResponse { error, result }
    HistoryRequest { channel, limit, since, reverse }
    Publication { data, info, offset, tags }
    HistoryResult { publications always, epoch always, offset always }
    HistoryResponse { error, result }
    HistoryRemoveRequest { channel }
    HistoryRemoveResult {}
    HistoryRemoveResponse { error, result }
    InfoRequest {}
    InfoResult { nodes, unanswered }
    InfoResponse { error, result }
    NodeResult {
        uid always, name always, version always, num_clients always, num_users always,
        num_channels always, uptime, metrics, process, num_subs always,
    }
    Metrics { interval, items }
    Process { cpu, rss }
    ChannelsRequest { pattern, cursor, limit }
    ChannelsResult { channels always, next_cursor }
    ChannelsResponse { error, result }
    ChannelInfo { num_clients }
    RpcRequest { method, params }
    RpcResult { data }
    RpcResponse { error, result }
}
