use gyre_proto::api::{BatchResponse, Command, Reply};

/// A batch as JSON has it: a command may be `null`, which Protobuf cannot say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BatchRequest {
    /// Commands to run; `None` for a `null`.
    pub commands: Vec<Option<Command>>,
    /// Run at the same time instead of one after the other.
    pub parallel: bool,
}

messages! {
    Command {
        publish, broadcast, subscribe, unsubscribe, disconnect, presence, presence_stats,
        history, history_remove, info, rpc, refresh, channels, connections, update_user_status,
        get_user_status, delete_user_status, block_user, unblock_user, revoke_token,
        invalidate_user_tokens, device_register, device_update, device_remove, device_list,
        device_topic_list, device_topic_update, user_topic_list, user_topic_update,
        send_push_notification, update_push_status, cancel_push, map_publish, map_remove,
        map_read_state, map_read_stream, map_stats, map_clear, shared_poll_publish,
    }
    Reply {
        error, publish, broadcast, subscribe, unsubscribe, disconnect, presence, presence_stats,
        history, history_remove, info, rpc, refresh, channels, connections, update_user_status,
        get_user_status, delete_user_status, block_user, unblock_user, revoke_token,
        invalidate_user_tokens, device_register, device_update, device_remove, device_list,
        device_topic_list, device_topic_update, user_topic_list, user_topic_update,
        send_push_notification, update_push_status, cancel_push, map_publish, map_remove,
        map_read_state, map_read_stream, map_stats, map_clear, shared_poll_publish,
    }
    BatchRequest { commands, parallel }
    BatchResponse { replies }
}
