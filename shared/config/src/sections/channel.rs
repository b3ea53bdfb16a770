//! `channel`: channels, their namespaces and what is allowed in them.

use super::access::StorageType;
use super::proxy::ChannelProxies;
use crate::tree::{Item, options};
use crate::values::{Limit, Millis, keyword, leaf};

options! {
    /// Channels.
    pub struct Channel {
        /// How long a stream keeps its position and epoch after the last publication, where the
        /// namespace does not say. Unit: duration of whole seconds.
        history_meta_ttl: Millis = Millis::from_secs(720 * 3600);
        /// What data of publications must look like, where the namespace does not say.
        publication_data_format: DataFormat;
        /// Longest name of a channel. Unit: bytes. Negative: no limit.
        max_length: Limit = Limit(255);
        /// What the name of a channel begins with that needs a token.
        private_prefix: String = "$".to_owned();
        /// What separates the namespace from the rest of a channel's name.
        namespace_boundary: String = ":".to_owned();
        /// What separates the users from the rest of a channel's name.
        user_boundary: String = "#".to_owned();
        /// What stands between two users in a channel's name.
        user_separator: String = ",".to_owned();
        /// Asks the application backend about channels.
        proxy: ChannelProxies;
        /// Tells the application backend which channels are in use.
        state: StateEvents;
        /// Rules for channels without a namespace.
        without_namespace: Options;
        /// Rules for channels of a namespace.
        namespaces: Vec<Namespace>;
    }
}

options! {
    /// Tells the application backend when a channel gets its first subscriber and loses its last, where
    /// the namespace wants it.
    pub struct StateEvents {
        /// Where it is kept what is still to be told, if the engine is in memory. With the engine on Redis it
        /// is kept there, for all gateways together.
        storage_type: StorageType = StorageType::Embedded;
        /// How long a channel has nobody before that is told; who comes back meanwhile was never
        /// away. Unit: duration.
        vacated_event_delay: Millis = Millis::from_secs(5);
        /// Events in one call. Unit: events. Range: 1 to 10000.
        batch_size: u32 = 100, 1 to 10000;
        /// Events that are kept while the backend does not take them; beyond, only the newest state of
        /// each channel is remembered. Unit: events.
        queue_size: usize = 100_000;
    }
}

options! {
    /// A namespace: channels that share their options.
    pub struct Namespace {
        /// Name of the namespace: 2 or more of letters, digits, `-`, `_`, `.`; unique.
        name: String;
        flatten
        /// What holds for its channels.
        options: Options;
    }
}

options! {
    /// What holds for the channels of a namespace.
    pub struct Options {
        /// Keeps who is in the channel.
        presence: bool;
        /// Tells subscribers who joins and leaves.
        join_leave: bool;
        /// Tells it to those too that have not asked. Needs `join_leave`.
        force_push_join_leave: bool;
        /// Mirrors presence of clients into a map channel: this prefix and the channel's name.
        map_clients_presence_channel_prefix: String;
        /// Mirrors presence of users into a map channel: this prefix and the channel's name.
        map_users_presence_channel_prefix: String;
        /// Publications that history keeps. With `history_ttl` only. 0: no history.
        history_size: usize;
        /// How long history keeps a publication. Unit: duration of whole seconds.
        history_ttl: Millis;
        /// How long the stream keeps its position and epoch after the last publication. Unit:
        /// duration of whole seconds. 0: `channel.history_meta_ttl`.
        history_meta_ttl: Millis;
        /// Makes every subscription positioned: the server notices what it missed.
        force_positioning: bool;
        /// Lets clients ask for positioning.
        allow_positioning: bool;
        /// Lets every subscription recover what it missed. Needs history.
        force_recovery: bool;
        /// Lets clients ask for recovery. Needs history.
        allow_recovery: bool;
        /// What recovery brings.
        force_recovery_mode: RecoveryMode = RecoveryMode::Stream;
        /// Brings the newest publication at every subscribe. Needs `force_recovery` and the recovery
        /// mode `cache`.
        auto_cache_recover: bool;
        /// Delta compressions that clients may ask for.
        allowed_delta_types: Vec<DeltaType>;
        /// Makes every publication one that deltas are made of.
        delta_publish: bool;
        /// Lets clients filter publications by tags.
        allow_tags_filter: bool;
        /// Lets clients subscribe without a token, unless they are anonymous.
        allow_subscribe_for_client: bool;
        /// Lets anonymous clients subscribe without a token.
        allow_subscribe_for_anonymous: bool;
        /// Lets clients publish, unless they are anonymous.
        allow_publish_for_client: bool;
        /// Lets subscribers of the channel publish.
        allow_publish_for_subscriber: bool;
        /// Lets anonymous clients publish too, where another option lets others.
        allow_publish_for_anonymous: bool;
        /// Lets clients ask who is in the channel, unless they are anonymous.
        allow_presence_for_client: bool;
        /// Lets subscribers of the channel ask who is in it.
        allow_presence_for_subscriber: bool;
        /// Lets anonymous clients ask too who is in the channel.
        allow_presence_for_anonymous: bool;
        /// Lets clients read history, unless they are anonymous.
        allow_history_for_client: bool;
        /// Lets subscribers of the channel read history.
        allow_history_for_subscriber: bool;
        /// Lets anonymous clients read history too.
        allow_history_for_anonymous: bool;
        /// Lets the users subscribe that the channel's name lists.
        allow_user_limited_channels: bool;
        /// Regular expression for the name after the namespace. Empty: any ASCII name.
        channel_regex: String;
        /// What data of publications must look like. Empty: `channel.publication_data_format`.
        publication_data_format: DataFormat;
        /// Asks the application backend at subscribe.
        subscribe_proxy_enabled: bool;
        /// Which of `proxies` is asked at subscribe; `default` is `channel.proxy.subscribe`.
        subscribe_proxy_name: String = "default".to_owned();
        /// Asks the application backend at publish.
        publish_proxy_enabled: bool;
        /// Which of `proxies` is asked at publish; `default` is `channel.proxy.publish`.
        publish_proxy_name: String = "default".to_owned();
        /// Asks the application backend when a subscription expires.
        sub_refresh_proxy_enabled: bool;
        /// Which of `proxies` is asked at expiry; `default` is `channel.proxy.sub_refresh`.
        sub_refresh_proxy_name: String = "default".to_owned();
        /// Takes publications of a subscription from a stream of the application backend.
        subscribe_stream_proxy_enabled: bool;
        /// Which of `proxies` streams; `default` is `channel.proxy.subscribe_stream`.
        subscribe_stream_proxy_name: String = "default".to_owned();
        /// Sends publications of the client to the stream.
        subscribe_stream_proxy_bidirectional: bool;
        /// Asks the application backend to fill the channel when a subscriber that recovers in mode
        /// `cache` finds nothing in it.
        cache_empty_proxy_enabled: bool;
        /// Which of `proxies` is asked to fill it; `default` is `channel.proxy.cache_empty`.
        cache_empty_proxy_name: String = "default".to_owned();
        /// Tells the application backend when the channel gets its first subscriber, and when it has
        /// lost its last.
        state_proxy_enabled: bool;
        /// Which of `proxies` is told; `default` is `channel.proxy.state`.
        state_proxy_name: String = "default".to_owned();
        /// What a subscription to these channels is.
        subscription_type: SubscriptionType = SubscriptionType::Stream;
        /// Options of map channels.
        map: Map;
        /// Options of shared poll channels.
        shared_poll: SharedPoll;
    }
}

options! {
    /// Map channels: a state of keys and values that subscribers follow.
    pub struct Map {
        /// What outlives what. Required for the map subscription types.
        mode: MapMode;
        /// How long a key lives after it was last written. Unit: duration. Required unless the
        /// mode is `persistent`, and forbidden if it is.
        key_ttl: Millis;
        /// Changes that the stream keeps. 0: chosen by the server; must be 0 for `ephemeral`.
        stream_size: usize;
        /// How long the stream keeps a change. Unit: duration.
        stream_ttl: Millis;
        /// How long the stream keeps its position after the last change. Unit: duration.
        meta_ttl: Millis;
        /// Removes what a client wrote when it unsubscribes.
        remove_client_on_unsubscribe: bool;
        /// What keys of clients must be.
        client_key: ClientKey;
        /// Lets clients write keys, unless they are anonymous.
        allow_publish_for_client: bool;
        /// Lets subscribers of the channel write keys.
        allow_publish_for_subscriber: bool;
        /// Lets anonymous clients write keys too.
        allow_publish_for_anonymous: bool;
        /// Lets clients remove keys, unless they are anonymous.
        allow_remove_for_client: bool;
        /// Lets subscribers of the channel remove keys.
        allow_remove_for_subscriber: bool;
        /// Lets anonymous clients remove keys too.
        allow_remove_for_anonymous: bool;
        /// Asks the application backend when a client writes a key.
        publish_proxy_enabled: bool;
        /// Which of `proxies` is asked; `default` is `channel.proxy.map_publish`.
        publish_proxy_name: String = "default".to_owned();
        /// Asks the application backend when a client removes a key.
        remove_proxy_enabled: bool;
        /// Which of `proxies` is asked; `default` is `channel.proxy.map_remove`.
        remove_proxy_name: String = "default".to_owned();
        /// Keys in a page for clients that do not say. Unit: keys.
        default_page_size: usize = 100;
        /// Fewest keys in a page. Unit: keys.
        min_page_size: usize = 100;
        /// Most keys in a page. Unit: keys.
        max_page_size: usize = 1000;
        /// Changes that the last step of a subscribe brings at most. 0: chosen by the server.
        live_transition_max_publication_limit: Limit;
        /// How long a subscribe may take from page to page. Unit: duration.
        subscribe_catch_up_timeout: Millis = Millis::from_secs(5);
    }
}

options! {
    /// Shared poll channels: the server polls the application backend for all subscribers together.
    pub struct SharedPoll {
        /// Which of `proxies` is polled; `default` is `channel.proxy.shared_poll_refresh`.
        proxy_name: String = "default".to_owned();
        /// How often. Unit: duration.
        refresh_interval: Millis = Millis::from_secs(10);
        /// Keys in one request. Unit: keys.
        refresh_batch_size: usize = 1000;
        /// Keys that one connection may follow. Unit: keys.
        max_keys_per_connection: usize = 5000;
        /// Where versions come from.
        mode: SharedPollMode = SharedPollMode::Versionless;
        /// How long a channel that nobody follows is still polled. Unit: duration.
        channel_shutdown_delay: Millis = Millis::from_secs(1);
        /// How long a key is followed after its signature expired. Unit: duration.
        track_expired_extra_delay: Millis = Millis::from_secs(25);
        /// Lets the server API publish new values. Not with the mode `versionless`.
        publish_enabled: bool;
    }
}

keyword! {
    /// What data of publications must look like.
    pub enum DataFormat = Any {
        /// Anything that is not empty.
        Any = "",
        /// JSON.
        Json = "json",
        /// A JSON object.
        JsonObject = "json_object",
        /// Anything, and it may be empty.
        Binary = "binary"
    }
}

keyword! {
    /// What recovery brings.
    pub enum RecoveryMode = Stream {
        /// Everything that was missed.
        Stream = "stream",
        /// The newest publication.
        Cache = "cache"
    }
}

keyword! {
    /// Delta compressions.
    pub enum DeltaType = Fossil {
        /// The format of the Fossil version control system.
        Fossil = "fossil"
    }
}

keyword! {
    /// What a subscription is.
    pub enum SubscriptionType = Stream {
        /// A stream of publications.
        Stream = "stream",
        /// A state of keys and values.
        Map = "map",
        /// A state with a key for every client in another channel.
        MapClients = "map_clients",
        /// A state with a key for every user in another channel.
        MapUsers = "map_users",
        /// Values that the server polls from the application backend.
        SharedPoll = "shared_poll"
    }
}

keyword! {
    /// What outlives what in a map channel.
    pub enum MapMode = Unset {
        /// Not said.
        Unset = "",
        /// Keys expire; a reconnect reads the whole state again.
        Ephemeral = "ephemeral",
        /// Keys expire; a reconnect reads what it missed.
        Recoverable = "recoverable",
        /// Keys stay until they are removed.
        Persistent = "persistent"
    }
}

keyword! {
    /// What keys of clients must be in a map channel.
    pub enum ClientKey = Any {
        /// Anything.
        Any = "",
        /// The id of the connection.
        ClientId = "client_id",
        /// The id of the user.
        UserId = "user_id"
    }
}

keyword! {
    /// Where versions of polled values come from.
    pub enum SharedPollMode = Versionless {
        /// From the server, which compares the values.
        Versionless = "versionless",
        /// From the application backend.
        Versioned = "versioned"
    }
}

leaf!(Vec<DeltaType>);

impl Item for Namespace {
    const NAMED: bool = true;
}
