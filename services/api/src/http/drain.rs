//! `POST <prefix>/drain`: has a gateway hand over its connections and go. Ours alone.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Answer, Unparsed};
use crate::error::Error;
use crate::methods::Methods;

/// What is asked.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Request {
    /// Id or name of the gateway that shall go; empty: only tells how far all are.
    gateway: String,
}

#[derive(Debug, Serialize)]
struct Envelope {
    result: Progress,
}

#[derive(Debug, Serialize)]
struct Progress {
    gateways: Vec<Gateway>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unanswered: Vec<String>,
}

/// How far a gateway is.
#[derive(Debug, Serialize)]
struct Gateway {
    uid: String,
    name: String,
    draining: bool,
    /// Connections that it still has.
    connections: u32,
    /// Connections that were told to come back elsewhere.
    told: u64,
    /// Connections that were left when the time was over.
    cut: u64,
}

/// Asks all gateways, one of which is meant if the request names it.
pub(super) async fn call(methods: &Methods, body: &Bytes) -> Result<Answer, Unparsed> {
    let request: Request = serde_json::from_slice(body).map_err(|_malformed| Unparsed)?;
    let (answers, unanswered) = match methods.gateways.drain(&request.gateway).await {
        Ok(answers) => answers,
        Err(refusal) => return Ok(Answer::Refused(refusal)),
    };
    let meant = &request.gateway;
    let is_there = answers
        .iter()
        .any(|answer| [&answer.uid, &answer.name].contains(&meant));
    if !meant.is_empty() && !is_there {
        return Ok(Answer::Refused(match unanswered.is_empty() {
            true => Error::NotFound,
            false => Error::Unanswered(unanswered),
        }));
    }
    let gateways = answers.into_iter().map(|answer| Gateway {
        uid: answer.uid,
        name: answer.name,
        draining: answer.draining,
        connections: answer.connections,
        told: answer.told,
        cut: answer.cut,
    });
    let result = Progress {
        gateways: gateways.collect(),
        unanswered,
    };
    let json = serde_json::to_vec(&Envelope { result });
    Ok(json.map_or(Answer::Refused(Error::Internal), Answer::Done))
}
