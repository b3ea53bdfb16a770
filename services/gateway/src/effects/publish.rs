use gyre_backend::Event;
use gyre_proto::proxy as pb;
use gyre_session::{Completion, Publish, PublishTerms, Refusal};

use super::ask::{Asking, NOBODY, result};

/// Asks whether a client may publish, and what.
pub(super) async fn ask(asking: &Asking, mut publish: Box<Publish>) -> Completion {
    let said = call(asking, &publish).await;
    Completion::PublishAsked(said.map(|said| {
        let said = said.unwrap_or_default();
        if !said.data.is_empty() {
            publish.data = said.data;
        }
        let terms = PublishTerms {
            skips_history: said.skip_history,
            tags: said.tags,
            idempotency_key: said.idempotency_key,
            delta: said.delta,
            version: said.version,
            version_epoch: said.version_epoch,
        };
        (publish, Box::new(terms))
    }))
}

async fn call(asking: &Asking, publish: &Publish) -> Result<Option<pb::PublishResult>, Refusal> {
    let channel = publish.channel.as_str();
    let proxy = asking.proxy_of(channel, Event::Publish, |options| {
        &options.publish_proxy_name
    });
    let proxy = proxy.ok_or(NOBODY)?;
    let question = pb::PublishRequest {
        client: asking.client(),
        transport: asking.transport(),
        protocol: asking.protocol(),
        user: asking.user(),
        channel: channel.to_owned(),
        data: publish.data.clone(),
        meta: asking.meta.clone(),
        labels: asking.labels(),
        ..pb::PublishRequest::default()
    };
    result(proxy.publish(question, &asking.brought).await)
}
