//! What sessions ask for, one file per kind. Each turns an effect into its completion.

mod ask;
mod authenticate;
mod connect;
mod publish;
mod read;
mod refresh;
mod rpc;
pub(crate) mod single;
mod stream;
mod subscribe;
mod tokens;
mod write;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use gyre_engine::Error;
use gyre_protocol::codes::Disconnect;
use gyre_session::{Completion, Effect, Failure, Question, Session};
use gyre_types::{Fault, Kind, Ticket, UserId};

use self::ask::Asking;
pub(crate) use self::stream::Streams;
use crate::connection::Context;
use crate::handle::Handle;
use crate::node::Node;
use crate::online;

pub(crate) use read::meta_ttl;

/// A completion that is on its way.
pub(crate) type Later = Pin<Box<dyn Future<Output = (Ticket, Completion)> + Send>>;

/// What became of an effect.
pub(crate) enum Started {
    /// It is done.
    Now(Completion),
    /// It takes an engine or a key that is not here.
    Later(Later),
    /// It takes an answer of the backend, which is of no use once the connection ends.
    Asking(Later),
    /// It has no completion.
    Told,
}

/// Starts an effect of one connection.
// hot path: command 4/5
pub(crate) fn start(
    node: &Arc<Node>,
    session: &Session,
    context: &mut Context,
    ticket: Ticket,
    effect: Effect,
) -> Started {
    match effect {
        Effect::Authenticate(request) => {
            context.emulate(node, &request);
            authenticate::run(node, session, context, ticket, request)
        }
        Effect::Register(register) => {
            Started::Now(Completion::Registered(enter(node, context, &register.user)))
        }
        Effect::VerifyConnectionToken(token) => tokens::connection(node, ticket, token),
        Effect::VerifySubscriptionToken(token) => tokens::subscription(node, ticket, token),
        Effect::Controlled { control, outcome } => {
            context.report(control, outcome);
            Started::Told
        }
        Effect::DisconnectOthers { user, channel } => {
            single::close_others(node, &context.handle, &user, channel);
            Started::Told
        }
        Effect::CloseStream(id) => {
            context.close_stream(id);
            Started::Told
        }
        Effect::Subscribe(_)
        | Effect::Unsubscribe(_)
        | Effect::PublishJoin { .. }
        | Effect::ShowPresence { .. }
        | Effect::Publish(_)
        | Effect::PublishOnTerms(..)
        | Effect::History(_)
        | Effect::ReadTop { .. }
        | Effect::Presence(_)
        | Effect::PresenceStats(_) => Started::Later(later(node, &context.handle, ticket, effect)),
        Effect::Ask(question) => {
            let asking = Asking::new(node, session, context);
            let streams = context.streams_for(&question);
            Started::Asking(ask(asking, streams, ticket, question))
        }
    }
}

fn later(node: &Arc<Node>, handle: &Arc<Handle>, ticket: Ticket, effect: Effect) -> Later {
    let (node, handle) = (Arc::clone(node), Arc::clone(handle));
    Box::pin(async move {
        let completion = match effect {
            Effect::Subscribe(effect) => subscribe::enter(&node, &handle, *effect).await,
            Effect::Unsubscribe(effect) => subscribe::leave(&node, &handle, *effect).await,
            Effect::PublishJoin { channel, info } => write::join(&node, &channel, &info).await,
            Effect::ShowPresence { channel, info } => {
                write::show(&node, &handle, &channel, info).await
            }
            Effect::Publish(effect) => write::publish(&node, effect, None).await,
            Effect::PublishOnTerms(effect, terms) => {
                write::publish(&node, *effect, Some(&terms)).await
            }
            Effect::History(effect) => read::history(&node, *effect).await,
            Effect::ReadTop { channel } => read::top(&node, &channel).await,
            Effect::Presence(channel) => read::presence(&node, &channel).await,
            Effect::PresenceStats(channel) => read::presence_stats(&node, &channel).await,
            // Done above.
            Effect::Authenticate(_)
            | Effect::Register(_)
            | Effect::VerifyConnectionToken(_)
            | Effect::VerifySubscriptionToken(_)
            | Effect::Ask(_)
            | Effect::CloseStream(_)
            | Effect::Controlled { .. }
            | Effect::DisconnectOthers { .. } => Completion::Done(Err(Failure::Internal)),
        };
        (ticket, completion)
    })
}

fn ask(asking: Asking, streams: Option<Arc<Streams>>, ticket: Ticket, question: Question) -> Later {
    Box::pin(async move {
        let completion = match question {
            Question::Refresh => refresh::connection(&asking).await,
            Question::SubscriptionRefresh { channel } => {
                refresh::subscription(&asking, &channel).await
            }
            Question::Subscribe(ask) => subscribe::ask(&asking, *ask).await,
            Question::Stream(ask) => stream::open(&asking, streams.as_deref(), *ask).await,
            Question::TakePublication { id, data } => {
                stream::publish(streams.as_deref(), id, data).await
            }
            Question::Publish(publish) => publish::ask(&asking, publish).await,
            Question::Rpc(request) => rpc::call(&asking, *request).await,
        };
        (ticket, completion)
    })
}

fn enter(node: &Node, context: &mut Context, user: &UserId) -> Result<(), Disconnect> {
    let live = node.live.load();
    if live
        .settings
        .policy
        .single_connection_channel(user.as_str())
        .is_some()
    {
        let now = node.clock.now().uptime;
        node.singles.come(&context.handle.client, now);
    }
    let connections_max = live.options.user_connections_max;
    node.connections
        .enter(&context.handle, user, connections_max)
        .map_err(|_too_many| Disconnect::CONNECTION_LIMIT)?;
    context.is_registered = true;
    online::appear(node, user);
    node.metrics.actions.add_client.inc();
    Ok(())
}

/// What a client may know of an engine's error; the rest goes to the log.
fn failure(error: &Error, what: &'static str) -> Failure {
    match error {
        Error::UnrecoverablePosition { .. } => return Failure::UnrecoverablePosition,
        Error::Unsupported { .. } => return Failure::NotAvailable,
        Error::Unavailable { .. } | Error::OutcomeUnknown { .. } | Error::Internal { .. } => {}
    }
    match error.fault() {
        Kind::Internal => {
            tracing::error!(%error, what, "engine failed");
            Failure::Internal
        }
        Kind::Caller | Kind::Limit | Kind::Unavailable => {
            tracing::warn!(%error, what, "engine did not answer");
            Failure::Unanswered
        }
    }
}
