use gyre_proto::api::*;

messages! {
    SendPushNotificationRequest {
        recipient, notification, uid, send_at, optimize_for_reliability, limit_strategy,
        analytics_uid, localizations, use_templating, use_meta,
    }
    PushRecipient {
        filter, fcm_tokens, fcm_topic, fcm_condition, hms_tokens, hms_topic, hms_condition,
        apns_tokens, webpush_tokens,
    }
    PushNotification { fcm, hms, apns, webpush, expire_at }
    FcmPushNotification { message }
    HmsPushNotification { message }
    ApnsPushNotification { headers, payload }
    WebPushPushNotification { headers, payload }
    PushLocalization { translations }
    PushLimitStrategy { rate_limit, time_limit }
    PushRateLimitStrategy { key, policies, drop_if_rate_limited }
    RateLimitPolicy { rate, interval_ms }
    PushTimeLimitStrategy { send_after_time, send_before_time, no_tz_send_now }
    SendPushNotificationResult { uid }
    SendPushNotificationResponse { error, result }
    UpdatePushStatusRequest { analytics_uid, status, device_id, msg_id }
    UpdatePushStatusResult {}
    UpdatePushStatusResponse { error, result }
    CancelPushRequest { uid }
    CancelPushResult {}
    CancelPushResponse { error, result }
}
