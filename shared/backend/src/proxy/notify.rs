//! Caches that are empty: asked once for all who found them so.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use gyre_proto::proxy as pb;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::context::ClientContext;
use crate::error::CallError;
use crate::proxy::Proxy;

/// How long it counts that a backend had nothing for a channel. 1 s: what a crowd that comes at once
/// takes to subscribe.
const NOTHING_TIME: Duration = Duration::from_secs(1);

/// Channels whose answer is remembered at most; more are asked about anew.
const REMEMBERED_MAX: usize = 10_000;

type Asked = Shared<BoxFuture<'static, Result<bool, CallError>>>;

/// Channels that were found empty.
#[derive(Debug, Default)]
pub(crate) struct Misses {
    table: Mutex<HashMap<Box<str>, Miss>>,
}

#[derive(Clone, Debug)]
enum Miss {
    /// The backend is being asked.
    Asking(Asked),
    /// It had nothing until then.
    Nothing(Instant),
}

impl Proxy {
    /// Tells that a client recovers the newest publication of a channel that has none. Returns whether
    /// the backend has published it now, so that a second look is worth it.
    ///
    /// Calls for the same channel at the same time are one, and an answer that there is nothing
    /// counts for a second.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the backend may have got the request.
    pub async fn notify_cache_empty(self: &Arc<Self>, channel: &str) -> Result<bool, CallError> {
        let asked = {
            let mut table = self.cache_misses.table.lock();
            match table.get(channel) {
                Some(Miss::Asking(asked)) => asked.clone(),
                Some(Miss::Nothing(until)) if Instant::now() < *until => return Ok(false),
                Some(Miss::Nothing(_)) | None => {
                    make_room(&mut table);
                    let asked = self.ask_for(channel).boxed().shared();
                    table.insert(channel.into(), Miss::Asking(asked.clone()));
                    asked
                }
            }
        };
        asked.await
    }

    /// Asks, and says in the table what came of it.
    fn ask_for(
        self: &Arc<Self>,
        channel: &str,
    ) -> impl Future<Output = Result<bool, CallError>> + Send + 'static {
        let (this, channel) = (Arc::clone(self), Box::<str>::from(channel));
        async move {
            let request = pb::NotifyCacheEmptyRequest {
                channel: channel.to_string(),
            };
            let answer = this.ask(request, &ClientContext::default()).await;
            let populated = answer.map(|answer| {
                let result = answer.only_result();
                result.is_some_and(|result| result.populated)
            });
            let mut table = this.cache_misses.table.lock();
            match populated {
                Ok(false) => {
                    let nothing = Miss::Nothing(Instant::now() + NOTHING_TIME);
                    table.insert(channel, nothing);
                }
                Ok(true) | Err(_) => {
                    table.remove(&channel);
                }
            }
            populated
        }
    }
}

/// Forgets what no longer counts, or all answers if that is not enough.
fn make_room(table: &mut HashMap<Box<str>, Miss>) {
    if table.len() < REMEMBERED_MAX {
        return;
    }
    let now = Instant::now();
    table.retain(|_, miss| match miss {
        // If nobody else holds it, who asked has gone away.
        Miss::Asking(asked) => asked.strong_count() > Some(1),
        Miss::Nothing(until) => now < *until,
    });
    if table.len() >= REMEMBERED_MAX {
        table.retain(|_, miss| matches!(miss, Miss::Asking(_)));
    }
}
