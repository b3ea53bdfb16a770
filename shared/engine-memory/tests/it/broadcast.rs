//! A publication for many channels does not hold on to its thread.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use gyre_engine::PublishOptions;
use gyre_engine_memory::MemoryEngine;
use gyre_protocol::messages::Publication;
use gyre_types::{ChannelName, Now};

#[test]
fn it_lets_others_in_between() {
    let broker = MemoryEngine::open(Arc::new(()), Now::default)
        .engine()
        .broker;
    let channels: Vec<(ChannelName, PublishOptions<'_>)> = (0..1000)
        .map(|number| ChannelName::new(&format!("channel {number}")).unwrap())
        .map(|channel| (channel, PublishOptions::default()))
        .collect();
    let publication = Publication::default();

    let mut publish = pin!(broker.publish_to_many(&channels, &publication));
    let mut context = Context::from_waker(Waker::noop());
    let polls = std::iter::repeat_with(|| publish.as_mut().poll(&mut context))
        .take_while(|poll| poll.is_pending())
        .count();
    assert!((3..100).contains(&polls), "{polls} breaks");
}
