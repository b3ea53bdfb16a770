use gyre_proto::api::*;

messages! {
    DeviceRegisterRequest { id, provider, token, platform, user, meta, topics, timezone, locale }
    DeviceRegisterResult { id }
    DeviceRegisterResponse { error, result }
    DeviceUpdateRequest {
        ids, users, user_update, meta_update, topics_update, timezone_update, locale_update,
    }
    DeviceUserUpdate { user }
    DeviceMetaUpdate { meta }
    DeviceTopicsUpdate { op, topics }
    DeviceTimezoneUpdate { timezone }
    DeviceLocaleUpdate { locale }
    DeviceUpdateResult {}
    DeviceUpdateResponse { error, result }
    DeviceRemoveRequest { ids, users }
    DeviceRemoveResult {}
    DeviceRemoveResponse { error, result }
    DeviceListRequest {
        filter, include_total_count, include_meta, include_topics, include_webpush_keys, cursor,
        limit,
    }
    DeviceFilter { ids, users, topics, providers, platforms }
    DeviceListResult { items always, next_cursor, total_count }
    DeviceListResponse { error, result }
    Device {
        id, platform, provider, token, user, created_at, updated_at, meta, topics, timezone,
        locale, webpush_keys,
    }
    DeviceTopicListRequest { filter, include_total_count, include_device, cursor, limit }
    DeviceTopicFilter {
        device_ids, device_providers, device_platforms, device_users, topics, topic_prefix,
    }
    DeviceTopicListResult { items always, next_cursor, total_count }
    DeviceTopicListResponse { error, result }
    DeviceTopic { id, topic, device }
    DeviceTopicUpdateRequest { device_id, op, topics, user }
    DeviceTopicUpdateResult {}
    DeviceTopicUpdateResponse { error, result }
    UserTopicListRequest { filter, include_total_count, cursor, limit }
    UserTopicFilter { users, topics, topic_prefix }
    UserTopicListResult { items always, next_cursor, total_count }
    UserTopicListResponse { error, result }
    UserTopic { id, user, topic }
    UserTopicUpdateRequest { user, op, topics }
    UserTopicUpdateResult {}
    UserTopicUpdateResponse { error, result }
}
