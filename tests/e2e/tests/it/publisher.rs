//! A backend that publishes, and repeats with the same key what it is not sure of.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::http;
use crate::judge::{At, Judge};

/// How long a publication is repeated before it is given up: it then counts as nothing.
const REPEAT_MAX: Duration = Duration::from_secs(15);

/// Between two publications of a channel.
const PACE: Duration = Duration::from_millis(15);

#[derive(Clone, Debug)]
pub(crate) struct Publisher {
    pub(crate) judge: Judge,
    pub(crate) apis: Vec<u16>,
    pub(crate) is_over: Arc<AtomicBool>,
}

impl Publisher {
    /// Publishes to a channel, one after the other, until it is over.
    pub(crate) async fn publish(self, channel: String) {
        let mut number = 0;
        while !self.is_over.load(Ordering::Relaxed) {
            number += 1;
            self.publish_one(&channel, number).await;
            sleep(PACE).await;
        }
    }

    async fn publish_one(&self, channel: &str, number: usize) {
        let message = format!("{channel}-{number}");
        let body = json!({"channel": channel, "data": message, "idempotency_key": message});
        let started = Instant::now();
        for turn in number.. {
            let port = self.apis[turn % self.apis.len()];
            if let Ok(answer) = http::call(port, "publish", &body).await
                && let Some(epoch) = answer["result"]["epoch"].as_str()
            {
                let at = At {
                    epoch: epoch.to_owned(),
                    offset: answer["result"]["offset"].as_u64().unwrap_or_default(),
                };
                return self.judge.acknowledged(channel, &message, &at);
            }
            if started.elapsed() > REPEAT_MAX {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
}
