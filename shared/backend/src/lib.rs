//! Calls to the application backend: events over HTTP and gRPC.
//!
//! [`Backends`] holds what the configuration names; a [`Proxy`] of it is asked with the messages of
//! `proto/centrifugal/centrifugo/proxy/proxy.proto`. What an answer means for a connection is
//! decided elsewhere; here is decided that there is one, by its deadline.
//!
//! What a newcomer would get wrong: an answer that refuses is no error of a call. [`Answer`] holds
//! both, and a [`CallError`] only says that the backend was not heard.

#![forbid(unsafe_code)]

mod backends;
mod context;
mod error;
mod guard;
mod messages;
mod observe;
mod proxy;
mod states;
mod wire;

pub use backends::Backends;
pub use context::{ClientContext, Forwarded};
pub use error::{BuildError, CallError};
pub use messages::answer::Answer;
pub use messages::event::Event;
pub use proxy::Proxy;
pub use proxy::stream::{Direction, NotTaken, Opened, Publisher, StreamAnswer, Subscription};
pub use states::{ChannelStates, StateTasks, StatesError};
