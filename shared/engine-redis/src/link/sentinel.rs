use std::time::Duration;

use futures_util::future::join_all;
use redis::{Value, cmd};
use tokio::time::timeout;

use super::{Address, Connector};
use crate::options::Access;

/// Asks all sentinels for the primary of this name, and believes the one that knows of the latest
/// failover. Connections last for the question only.
pub(super) async fn primary_of(
    sentinels: &[Address],
    name: &str,
    access: &Access,
    patience: Duration,
) -> Result<Address, String> {
    let connector = Connector {
        access: access.clone(),
        connect_timeout: patience,
    };
    let asked = sentinels.iter().map(|sentinel| {
        let asking = Box::pin(ask(&connector, sentinel, name));
        async move {
            let answer = timeout(patience, asking).await;
            answer.unwrap_or_else(|_| Err(format!("{sentinel}: no answer within {patience:?}")))
        }
    });
    let mut reasons = Vec::new();
    let mut best: Option<(u64, Address)> = None;
    for answer in join_all(asked).await {
        match answer {
            Ok(known) => {
                if best.as_ref().is_none_or(|(epoch, _)| known.0 > *epoch) {
                    best = Some(known);
                }
            }
            Err(reason) => reasons.push(reason),
        }
    }
    best.map(|(_, address)| address)
        .ok_or_else(|| reasons.join("; "))
}

/// The primary's address as this sentinel knows it, and the epoch of that knowledge.
async fn ask(
    connector: &Connector,
    sentinel: &Address,
    name: &str,
) -> Result<(u64, Address), String> {
    let failed = |error: &dyn std::fmt::Display| format!("{sentinel}: {error}");
    let opened = connector
        .open(sentinel, None)
        .await
        .map_err(|error| failed(&error))?;
    let mut connection = opened.connection;
    let mut question = cmd("SENTINEL");
    question.arg("MASTER").arg(name);
    let answer = tokio::select! {
        answer = connection.send_packed_command(&question) => answer,
        () = opened.driver => return Err(failed(&"closed the connection")),
    };
    let answer = answer
        .and_then(Value::extract_error)
        .map_err(|error| failed(&error))?;
    let pairs: Vec<(String, String)> = pairs_of(answer).unwrap_or_default();
    read(&pairs).ok_or_else(|| failed(&"not an answer of a sentinel"))
}

fn pairs_of(answer: Value) -> Option<Vec<(String, String)>> {
    let text = |value| redis::from_redis_value::<String>(value).ok();
    if let Value::Map(pairs) = answer {
        let pairs = pairs.into_iter();
        return pairs
            .map(|(name, value)| Some((text(name)?, text(value)?)))
            .collect();
    }
    let Value::Array(flat) = answer else {
        return None;
    };
    let mut flat = flat.into_iter();
    let mut pairs = Vec::new();
    while let (Some(name), Some(value)) = (flat.next(), flat.next()) {
        pairs.push((text(name)?, text(value)?));
    }
    Some(pairs)
}

fn read(pairs: &[(String, String)]) -> Option<(u64, Address)> {
    let value = |name: &str| {
        let pair = pairs.iter().find(|(one, _)| one == name);
        pair.map(|(_, value)| value.as_str())
    };
    let address = Address::Tcp {
        host: value("ip")?.into(),
        port: value("port")?.parse().ok()?,
    };
    Some((value("config-epoch")?.parse().ok()?, address))
}
