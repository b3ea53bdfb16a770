//! `client`: connections of clients, their limits and their tokens.

use super::proxy::ClientProxies;
use super::tls::Tls;
use crate::tree::{Item, options};
use crate::values::{ByteSize, Limit, Millis, Secret};

options! {
    /// What holds for every connection of a client.
    pub struct Client {
        /// Asks the application backend about connections.
        proxy: ClientProxies;
        /// Origins that browsers may connect from, such as `https://app.example.com`; `*` stands for
        /// any part. Requests without an `Origin` header pass; if the list is empty, all with one
        /// are refused.
        allowed_origins: Vec<String>;
        /// How tokens of connections are verified.
        token: Token;
        /// How tokens of subscriptions are verified, if not as those of connections.
        subscription_token: SubscriptionToken;
        /// Lets clients connect without a token, as an anonymous user.
        allow_anonymous_connect_without_token: bool;
        /// Refuses tokens that name no user.
        disallow_anonymous_connection_tokens: bool;
        /// How often the server pings. Unit: duration. Negative: never.
        ping_interval: Millis = Millis::from_secs(25);
        /// How long the server waits for the answer to a ping. Unit: duration. Must be less than
        /// `client.ping_interval`. Negative: not at all.
        pong_timeout: Millis = Millis::from_secs(8);
        /// How long an expired connection may refresh its token. Unit: duration.
        expired_close_delay: Millis = Millis::from_secs(25);
        /// How long an expired subscription may refresh its token. Unit: duration.
        expired_sub_close_delay: Millis = Millis::from_secs(25);
        /// How long a connection may stay without a successful connect. Unit: duration.
        stale_close_delay: Millis = Millis::from_secs(10);
        /// Client-side subscriptions per connection. Negative: no limit.
        channel_limit: Limit = Limit(128);
        /// Messages that may wait for a slow reader before it is disconnected. Unit: bytes.
        /// Negative: no limit.
        queue_max_size: ByteSize = ByteSize(1_048_576);
        /// How often presence is renewed and positions and expiry are checked. Unit: duration.
        presence_update_interval: Millis = Millis::from_secs(27);
        /// Commands of one connection that are processed side by side. 0 and 1: one after another.
        concurrency: usize;
        /// How often a positioned subscription is compared with the stream. Unit: duration.
        /// Negative: never.
        channel_position_check_delay: Millis = Millis::from_secs(40);
        /// How far behind its stream's newest publication a subscription may be. Unit: duration.
        /// 0: not checked.
        channel_position_max_time_lag: Millis;
        /// Connections per node; more are refused with status 503. 0: no limit.
        connection_limit: Limit;
        /// Connections per user and node. 0: no limit.
        user_connection_limit: Limit;
        /// New connections per second and node; more are refused with status 503. 0: no limit.
        connection_rate_limit: Limit;
        /// Puts the server's time into the reply to connect. There in milliseconds.
        connect_include_server_time: bool;
        /// Publications that one history call of a client brings at most. Negative: no limit.
        history_max_publication_limit: Limit = Limit(300);
        /// Publications that one recovery brings at most. Negative: no limit.
        recovery_max_publication_limit: Limit = Limit(300);
        /// Lets clients do everything without tokens and permissions. Not for production.
        insecure: bool;
        /// Believes tokens without verifying them. Not for production.
        insecure_skip_token_signature_verify: bool;
        /// HTTP header that names the user. Only behind a proxy that sets it itself.
        user_id_http_header: String;
        /// Subscribes every user to a channel of their own.
        subscribe_to_user_personal_channel: PersonalChannel;
        /// Disconnect codes that take the place of connect errors on unidirectional transports.
        connect_code_to_unidirectional_disconnect: ConnectCodeToDisconnect;
    }
}

options! {
    /// Keys and rules for tokens.
    pub struct Token {
        /// Secret of HS256, HS384 and HS512 tokens.
        hmac_secret_key: Secret;
        /// Secret that was replaced; tried second.
        hmac_previous_secret_key: Secret;
        /// When the replaced secret ceases to count. Unit: Unix seconds. 0: never.
        hmac_previous_secret_key_valid_until: i64;
        /// Public key of RS256, RS384, RS512, PS256, PS384 and PS512 tokens, of 2048 bits or more:
        /// PEM as text, as base64 of the text, or the path of a file with it.
        rsa_public_key: String;
        /// Public key of ES256 (curve P-256), ES384 (P-384) or ES512 (P-521) tokens: PEM as text, as base64 of
        /// the text, or the path of a file with it.
        ecdsa_public_key: String;
        /// URL of a JSON web key set. If given, other keys are ignored. `{{name}}` in it stands for
        /// what the group `name` of `issuer_regex` or `audience_regex` matched in a token.
        jwks_public_endpoint: String;
        /// Key sets of several issuers, in place of all other keys.
        jwks: Jwks;
        /// Audience that tokens must have. Empty: any.
        audience: String;
        /// Regular expression that the audience of tokens must match. Empty: any.
        audience_regex: String;
        /// Issuer that tokens must have. Empty: any.
        issuer: String;
        /// Regular expression that the issuer of tokens must match. Empty: any.
        issuer_regex: String;
        /// Claim that names the user. Empty: `sub`.
        user_id_claim: String;
        /// Lets any text of a token stand in for `{{name}}` of `jwks_public_endpoint`, where otherwise
        /// the group must list the texts. Not for production.
        insecure_skip_jwks_endpoint_safety_check: bool;
        /// What of the claims goes into the connection's meta. Only of connections' tokens.
        meta_from_claim: Vec<ClaimRule>;
        /// What of the claims becomes a label of the connection. Only of connections' tokens.
        labels_from_claim: Vec<ClaimRule>;
    }
}

options! {
    /// A claim that is taken over under a name.
    pub struct ClaimRule {
        /// The name: letters A to Z and a to z, digits and `_`, not beginning with a digit.
        key: String;
        /// Path of the claim, its steps divided by dots; a backslash before a character takes it as
        /// it is.
        value: String;
    }
}

options! {
    /// Key sets of several issuers.
    pub struct Jwks {
        /// Verifies tokens by the providers' keys, and by no others.
        enabled: bool;
        /// Whose keys count. A token goes to the provider of its issuer and audience, or else to that
        /// of its issuer without an audience.
        providers: Vec<JwksProvider>;
    }
}

options! {
    /// A source of keys for the tokens of one issuer.
    pub struct JwksProvider {
        /// Name, unique among the providers: 2 or more letters, digits and `_`.
        name: String;
        /// Uses the provider.
        enabled: bool;
        /// URL of the key set.
        endpoint: String;
        /// Issuer whose tokens it verifies.
        issuer: String;
        /// Audience that its tokens must have. Empty: any that no other provider of the issuer has.
        audience: String;
        /// TLS of the calls to the endpoint.
        tls: Tls;
        /// What of the claims goes into the connection's meta.
        meta_from_claim: Vec<ClaimRule>;
        /// What of the claims becomes a label of the connection.
        labels_from_claim: Vec<ClaimRule>;
    }
}

options! {
    /// Keys and rules for tokens of subscriptions.
    pub struct SubscriptionToken {
        /// Verifies tokens of subscriptions by this section in place of `client.token`.
        enabled: bool;
        flatten
        /// Keys and rules.
        token: Token;
    }
}

options! {
    /// A channel for every user, which the server subscribes them to.
    pub struct PersonalChannel {
        /// Subscribes users that are not anonymous.
        enabled: bool;
        /// Namespace of these channels. Empty: none.
        personal_channel_namespace: String;
        /// Keeps one connection per user: a new one ends the others. Needs presence in the
        /// namespace.
        single_connection: bool;
    }
}

options! {
    /// Which disconnects take the place of connect errors on unidirectional transports.
    pub struct ConnectCodeToDisconnect {
        /// Applies the transforms.
        enabled: bool;
        /// The transforms; the first with the error's code counts.
        transforms: Vec<DisconnectTransform>;
    }
}

options! {
    /// A connect error, and the disconnect that takes its place.
    pub struct DisconnectTransform {
        /// Code of the error. Range: 1 to 4294967295.
        code: u32;
        /// The disconnect.
        to: TransformedDisconnect;
    }
}

options! {
    /// What a client is told at the end of its connection.
    pub struct TransformedDisconnect {
        /// Code of the disconnect. Range: 3000 to 4999.
        code: u32, 3000 to 4999;
        /// Reason: ASCII, at most 123 bytes.
        reason: String;
    }
}

impl Item for DisconnectTransform {
    const NAMED: bool = false;
}

impl Item for ClaimRule {
    const NAMED: bool = false;
}

impl Item for JwksProvider {
    const NAMED: bool = true;
}
