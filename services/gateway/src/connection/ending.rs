//! The end of a connection: its last messages, and everything about it cleaned up.

use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, StreamExt};
use gyre_protocol::codes::Disconnect;
use gyre_session::Session;

use super::{Context, Driver, Parts};
use crate::effects::{self, Later, Started};
use crate::metrics::Transport as Counters;
use crate::node::Node;
use crate::transport::Transport;

impl<T: Transport> Driver<T> {
    pub(super) async fn end(mut self: Box<Self>) {
        let disconnect = self
            .parts
            .session
            .closing()
            .cloned()
            .unwrap_or(Disconnect::CONNECTION_CLOSED);
        self.parts.context.handle.mailbox.close();
        self.asking = None;
        self.parts.context.hang_up();
        tracing::debug!(
            client = %self.parts.session.client(),
            code = disconnect.code,
            reason = %disconnect.reason,
            "disconnected"
        );
        self.parts.node.metrics.disconnected(&disconnect);
        self.parts.counters.closed(&disconnect);
        if self.parts.session.has_messages() {
            // If it does not work, closing will not either.
            let _ = self.parts.write();
        }
        let Self {
            parts, in_flight, ..
        } = *self;
        let Parts {
            node,
            session,
            transport,
            context,
            counters,
            ..
        } = parts;
        let cleaning = clean_up(&node, session, context, in_flight, &counters);
        if disconnect == Disconnect::WRITE_ERROR {
            drop(transport);
            cleaning.await;
        } else {
            // The transport first, so that nobody is seen leaving who can still read.
            tokio::join!(transport.close(&disconnect), cleaning);
        }
        counters.inflight.dec();
    }
}

/// Completes the effects of a closed session: that is how presence and leaves are taken back.
async fn clean_up(
    node: &Arc<Node>,
    mut session: Session,
    mut context: Context,
    in_flight: Option<Box<FuturesUnordered<Later>>>,
    counters: &Counters,
) {
    let mut in_flight = in_flight.unwrap_or_default();
    loop {
        while let Some((ticket, effect)) = session.poll_effect() {
            match effects::start(node, &session, &mut context, ticket, effect) {
                Started::Now(completion) => {
                    session.handle_completion(ticket, completion, node.clock.now());
                }
                Started::Later(later) => in_flight.push(later),
                Started::Asking(_) | Started::Told => {}
            }
        }
        Context::observe(node, counters, &mut session);
        let Some((ticket, completion)) = in_flight.next().await else {
            break;
        };
        session.handle_completion(ticket, completion, node.clock.now());
    }
    context.leave(node);
}
