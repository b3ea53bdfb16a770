//! Sans-IO state machine of one client connection.
//!
//! A [`Session`] does no I/O, reads no clock and starts nothing. Its driver feeds it inputs, then
//! takes its outputs, in this order, each until it is empty:
//!
//! 1. [`Session::poll_message`]: messages for the client;
//! 2. [`Session::poll_effect`]: work, answered by [`Session::handle_completion`] now or later;
//! 3. [`Session::poll_observations`]: what may be counted;
//! 4. [`Session::poll_timeout`]: when [`Session::handle_timeout`] is due.
//!
//! Inputs are `handle_*` methods. They return nothing: what follows is an output, and a protocol
//! error is a transition to [`Session::closing`]. `now` must not go backwards. A command is handled
//! only while [`Session::accepts_command`] says so; until then the driver leaves it undecoded, which
//! is the back-pressure of the protocol.
//!
//! After [`Session::closing`] the driver sends what was polled, closes the transport and goes on
//! completing effects until [`Session::is_finished`]: that is how presence and leaves are cleaned up.
//! Only questions to the backend ([`Effect::Ask`]) it may drop, for nobody waits for the answers.
//!
//! | module | what |
//! |---|---|
//! | `session` | [`Session`]: its state, inputs and outputs; `phase`, `liveness` |
//! | `commands` | one file per command of the client's |
//! | `control` | commands of the server API |
//! | `subscription` | one subscription: `open`, `opening`, `entered`, `delivery`, `watch`, `ending` |
//! | `effect` | what is asked of the driver, of the engine or of the backend |
//! | `identity` | who the client is |
//!
//! What a newcomer would get wrong: a subscription that is being entered holds back what the hub
//! delivers (`subscription/opening.rs`), and lets it go after the reply. This one rule gives the order of reply
//! and publications, and loses and doubles nothing between history and live.

#![forbid(unsafe_code)]

mod commands;
mod control;
mod effect;
mod frame;
mod identity;
mod message;
mod observe;
mod session;
mod settings;
mod subscription;
mod transport;

pub use commands::rpc::UPDATE_USER_STATUS;
pub use control::revoke::Void;
pub use control::{Control, ControlRefresh, ControlSubscribe};
pub use effect::{
    AskSubscribe, Completion, ConnectionGrant, Effect, Failure, GrantedSubscription, Grants,
    HistoryPart, HistoryRead, Publish, PublishTerms, Question, Read, RefreshBy, Refreshed,
    RefreshedSubscription, Refusal, Register, Stats, Subscribe, Subscribed, SubscriptionGrant,
    Terms, TokenMark, TokenRefusal, Unrefreshed, Unsubscribe,
};
pub use frame::Frame;
pub use identity::describe::{Description, Held};
pub use message::Message;
pub use observe::{Method, Observation};
pub use session::Session;
pub use settings::{Limits, OneWay, Settings, Timing};
pub use transport::{Names, Transport};
