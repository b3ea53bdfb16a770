use futures_util::future::join_all;
use redis::{Cmd, Value, cmd, pipe};
use std::collections::BTreeMap;
use std::sync::Arc;

use gyre_engine::Error;
use tokio::time::{Instant, timeout_at};

use super::node::LOST_PATIENCE;
use super::verdict::Verdict;
use super::{Address, BackOff, Facts, Link, Live, Node};
use crate::scripts::Script;

/// Redirections of one operation that are followed at most.
const REDIRECTIONS_MAX: u32 = 16;

/// Commands that leave in one piece at most, when one caller has many.
const BATCH_COMMANDS: usize = 256;

/// One operation: a script, its keys and arguments.
pub(crate) struct Request<'a> {
    pub(crate) partition: u16,
    pub(crate) script: Script,
    pub(crate) keys: Vec<String>,
    /// Adds the arguments. Called for each attempt, with what is known about the server.
    pub(crate) args: &'a (dyn Fn(&mut Cmd, &Facts) + Sync),
    pub(crate) repeat: Repeat,
}

/// What becomes of an operation of which nobody knows whether it was done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Repeat {
    /// It must not be done twice.
    Never,
    /// It carries a key that lets it be done once only.
    ByKey,
    /// It may be done any number of times.
    Freely,
}

/// Where an operation stands between two attempts.
struct Attempts {
    deadline: Instant,
    back_off: BackOff,
    redirections: u32,
    /// Where the next attempt goes, if not to the owner.
    ask: Option<Arc<Node>>,
    is_by_text: bool,
    /// Whether an attempt was lost that may have done it.
    is_unknown: bool,
    reason: String,
}

impl Request<'_> {
    fn command(&self, link: &Link, facts: &Facts, is_by_text: bool) -> Cmd {
        let scripts = &link.shared.scripts;
        let mut command = if is_by_text {
            scripts.by_text(self.script)
        } else {
            scripts.by_hash(self.script)
        };
        command.arg(self.keys.len()).arg(&self.keys);
        (self.args)(&mut command, facts);
        command
    }
}

impl Link {
    /// Runs one operation, and repeats it within `io_timeout` as long as it was surely not done, or
    /// may be done again.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] if it was surely not done or can be repeated, [`Error::OutcomeUnknown`]
    /// if nobody knows, [`Error::Internal`] if the script failed.
    pub(crate) async fn call(&self, request: &Request<'_>) -> Result<(Value, Option<Live>), Error> {
        let deadline = Instant::now() + self.options().io_timeout;
        self.call_until(request, Attempts::new(deadline)).await
    }

    async fn call_until(
        &self,
        request: &Request<'_>,
        mut attempts: Attempts,
    ) -> Result<(Value, Option<Live>), Error> {
        loop {
            let (verdict, connection) = self.attempt(request, &mut attempts).await;
            match self.judge(request, &mut attempts, verdict)? {
                Some(value) => return Ok((value, connection)),
                None if Instant::now() >= attempts.deadline => {
                    return Err(attempts.end(request.repeat));
                }
                None => {}
            }
            if attempts.redirections == 0 {
                attempts.back_off.wait().await;
            }
        }
    }

    /// Runs many operations, those of one node in one piece. Results are in the order of requests;
    /// of one channel they are done in that order.
    pub(crate) async fn call_many(&self, requests: &[Request<'_>]) -> Vec<Result<Value, Error>> {
        let deadline = Instant::now() + self.options().io_timeout;
        let mut by_node: BTreeMap<Address, (Arc<Node>, Vec<usize>)> = BTreeMap::new();
        for (index, request) in requests.iter().enumerate() {
            if let Some(owner) = self.owner(request.partition) {
                let entry = by_node.entry(owner.address.clone());
                entry.or_insert_with(|| (owner, Vec::new())).1.push(index);
            }
        }
        let batches = by_node.values().map(|(node, indices)| {
            let node = Arc::clone(node);
            async move { self.call_batches(requests, &node, indices, deadline).await }
        });
        let mut results: Vec<Option<Result<Value, Error>>> = Vec::new();
        results.resize_with(requests.len(), || None);
        for (index, result) in join_all(batches).await.into_iter().flatten() {
            if let Some(place) = results.get_mut(index) {
                *place = Some(result);
            }
        }
        let mut done = Vec::with_capacity(results.len());
        for (result, request) in results.into_iter().zip(requests) {
            done.push(match result {
                Some(result) => result,
                // Nobody was known to serve it.
                None => {
                    let called = self.call_until(request, Attempts::new(deadline)).await;
                    called.map(|(value, _)| value)
                }
            });
        }
        done
    }

    async fn call_batches(
        &self,
        requests: &[Request<'_>],
        node: &Node,
        indices: &[usize],
        deadline: Instant,
    ) -> Vec<(usize, Result<Value, Error>)> {
        let mut results = Vec::with_capacity(indices.len());
        for indices in indices.chunks(BATCH_COMMANDS) {
            let batch: Vec<(usize, &Request<'_>)> = indices
                .iter()
                .filter_map(|index| Some((*index, requests.get(*index)?)))
                .collect();
            let verdicts = self.attempt_batch(&batch, node, deadline).await;
            for ((index, request), verdict) in batch.into_iter().zip(verdicts) {
                let mut attempts = Attempts::new(deadline);
                let result = match self.judge(request, &mut attempts, verdict) {
                    Ok(Some(value)) => Ok(value),
                    Ok(None) => self
                        .call_until(request, attempts)
                        .await
                        .map(|(value, _)| value),
                    Err(error) => Err(error),
                };
                results.push((index, result));
            }
        }
        results
    }

    async fn attempt_batch(
        &self,
        batch: &[(usize, &Request<'_>)],
        node: &Node,
        deadline: Instant,
    ) -> Vec<Verdict> {
        let mut live = match primary(node, deadline).await {
            Ok(live) => live,
            Err(reason) => {
                return batch
                    .iter()
                    .map(|_| Verdict::NotNow(reason.clone()))
                    .collect();
            }
        };
        let mut commands = pipe();
        for (_, request) in batch {
            commands.add_command(request.command(self, &live.facts, false));
        }
        let sent = live
            .connection
            .send_packed_commands(&commands, 0, batch.len());
        match timeout_at(deadline, sent).await {
            Ok(Ok(answers)) if answers.len() == batch.len() => answers
                .into_iter()
                .map(|one| Verdict::on(Ok(one)))
                .collect(),
            Ok(Ok(_)) => lost(batch, "answers are missing"),
            Ok(Err(error)) => lost(batch, &error.to_string()),
            Err(_) => lost(batch, "no answer in time"),
        }
    }

    /// One attempt, and the connection that it was made on.
    async fn attempt(
        &self,
        request: &Request<'_>,
        attempts: &mut Attempts,
    ) -> (Verdict, Option<Live>) {
        let asked = attempts.ask.take();
        let is_asked = asked.is_some();
        let Some(node) = asked.or_else(|| self.owner(request.partition)) else {
            return (self.without_any(), None);
        };
        let live = match primary(&node, attempts.deadline).await {
            Ok(live) => live,
            Err(reason) => return (self.without(request, &node, reason), None),
        };
        let command = request.command(self, &live.facts, attempts.is_by_text);
        let sent = send(live.clone(), command, is_asked);
        let verdict = timeout_at(attempts.deadline, sent)
            .await
            .unwrap_or_else(|_| Verdict::Lost(format!("{}: no answer in time", node.address)));
        (verdict, Some(live))
    }

    /// What it means that nobody is known to serve anything.
    fn without_any(&self) -> Verdict {
        let reason = self.unreached();
        if self.disagreement().is_none() && self.shared.begun.elapsed() < LOST_PATIENCE {
            return Verdict::NotNow(reason);
        }
        Verdict::Refused(reason)
    }

    /// Why no server has answered yet.
    fn unreached(&self) -> String {
        if let Some(reason) = self.disagreement() {
            return reason.to_string();
        }
        let nodes: Vec<Arc<Node>> = self.shared.nodes.lock().values().cloned().collect();
        let reasons = nodes
            .iter()
            .filter_map(|node| Some(format!("{}: {}", node.address, node.reason()?)));
        let reasons: Vec<String> = reasons.collect();
        format!("no redis server has answered yet: {}", reasons.join("; "))
    }

    /// What it means that there is no connection to a node.
    fn without(&self, request: &Request<'_>, node: &Arc<Node>, reason: String) -> Verdict {
        let owner = self.owner(request.partition);
        if node.live_now().is_some() || owner.is_some_and(|owner| !Arc::ptr_eq(&owner, node)) {
            return Verdict::NotNow(reason);
        }
        Verdict::Refused(reason)
    }

    /// What follows from an attempt: the value, the end, or another attempt.
    fn judge(
        &self,
        request: &Request<'_>,
        attempts: &mut Attempts,
        verdict: Verdict,
    ) -> Result<Option<Value>, Error> {
        let is_elsewhere = matches!(
            verdict,
            Verdict::Moved(_) | Verdict::Ask(_) | Verdict::NoScript
        );
        attempts.redirections = if is_elsewhere && attempts.redirections < REDIRECTIONS_MAX {
            attempts.redirections + 1
        } else {
            0
        };
        match verdict {
            Verdict::Done(value) => return Ok(Some(value)),
            Verdict::Moved(address) => self.moved(request.partition, &address),
            Verdict::Ask(address) => attempts.ask = self.node_named(&address),
            Verdict::NoScript => attempts.is_by_text = true,
            Verdict::NotNow(reason) => {
                self.doubt();
                attempts.reason = reason;
            }
            Verdict::Refused(reason) => {
                self.doubt();
                attempts.reason = reason;
                return Err(attempts.end(request.repeat));
            }
            Verdict::Lost(reason) => {
                self.doubt();
                attempts.is_unknown = true;
                attempts.reason = reason;
                if request.repeat == Repeat::Never {
                    return Err(attempts.end(request.repeat));
                }
            }
            Verdict::Broken(reason) => return Err(Error::Internal { reason }),
        }
        Ok(None)
    }
}

impl Attempts {
    fn new(deadline: Instant) -> Self {
        Self {
            deadline,
            back_off: BackOff::new(),
            redirections: 0,
            ask: None,
            is_by_text: false,
            is_unknown: false,
            reason: "no answer in time".to_owned(),
        }
    }

    /// What to say when there are no more attempts.
    fn end(&mut self, repeat: Repeat) -> Error {
        let reason = std::mem::take(&mut self.reason);
        if self.is_unknown && repeat != Repeat::Freely {
            return Error::OutcomeUnknown { reason };
        }
        unavailable(reason)
    }
}

/// The connection to a node that is a primary: only then its lineage counts, which a script must be
/// given. One that was a replica may be a primary by now.
async fn primary(node: &Node, deadline: Instant) -> Result<Live, String> {
    match node.live(deadline).await {
        Ok(live) if live.facts.is_primary => Ok(live),
        Ok(_) => {
            node.doubt();
            Err(format!("{} is a replica", node.address))
        }
        Err(reason) => Err(format!("{}: {reason}", node.address)),
    }
}

async fn send(mut live: Live, command: Cmd, is_asked: bool) -> Verdict {
    if !is_asked {
        return Verdict::on(live.connection.send_packed_command(&command).await);
    }
    let mut both = pipe();
    both.add_command(cmd("ASKING"));
    both.add_command(command);
    let answers = live.connection.send_packed_commands(&both, 1, 1).await;
    Verdict::on(answers.map(|mut answers| answers.pop().unwrap_or_default()))
}

fn lost(batch: &[(usize, &Request<'_>)], reason: &str) -> Vec<Verdict> {
    batch
        .iter()
        .map(|_| Verdict::Lost(reason.to_owned()))
        .collect()
}

const fn unavailable(reason: String) -> Error {
    Error::Unavailable { reason }
}
