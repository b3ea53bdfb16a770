use std::task::{Context, Waker};

use gyre_config::Config;
use gyre_hub::Wants;
use gyre_protocol::messages::Publication;
use gyre_runtime::{Identity, Parts};
use gyre_telemetry::Registry;
use gyre_types::{ClientId, Epoch, Position, SubscriptionId};

use super::*;
use crate::handle::{Handle, Item, Shared};
use crate::service::Gateway;

fn channel() -> ChannelName {
    ChannelName::new("news").unwrap()
}

fn epoch() -> Epoch {
    Epoch::new("life").unwrap()
}

fn publication(offset: u64) -> Arc<Publication> {
    Arc::new(Publication {
        offset,
        ..Publication::default()
    })
}

fn delivered(offset: u64) -> Delivered {
    Delivered {
        publication: publication(offset),
        epoch: epoch(),
        previous: None,
    }
}

/// What an engine has after `since`.
fn history(offsets: impl IntoIterator<Item = u64>, top: u64) -> History {
    History {
        top: Position {
            offset: top,
            epoch: epoch(),
        },
        publications: offsets.into_iter().map(publication).collect(),
    }
}

/// A gateway's inlet with one subscriber, who was sent the first publication.
fn subscribed() -> (Arc<Delivery>, Arc<Handle>) {
    let parts = Parts::new(Registry::new("gyre").unwrap(), Identity::new("n", "0"));
    let delivery = Gateway::delivery(&Config::default(), &parts).unwrap();
    let handle = Arc::new(Handle::new(ClientId::new("1"), 1 << 20));
    let subscriber = Shared(Arc::clone(&handle));
    delivery.hub.subscribe(
        &channel(),
        SubscriptionId {
            slot: 0,
            generation: 0,
        },
        subscriber,
        Wants::Everything,
    );
    publish(&delivery, 1);
    assert_eq!(taken(&handle), ["1"]);
    (delivery, handle)
}

fn publish(delivery: &Delivery, offset: u64) {
    gyre_engine::Inlet::on_publication(delivery, &channel(), delivered(offset));
}

fn lose(delivery: &Delivery) {
    gyre_engine::Inlet::on_gap(delivery, &channel());
}

/// What lies in the mailbox: offsets, and the top.
fn taken(handle: &Handle) -> Vec<String> {
    let mut items = Vec::new();
    let mut cx = Context::from_waker(Waker::noop());
    let _ = handle.mailbox.poll_recv(&mut cx, &mut items, usize::MAX);
    items
        .iter()
        .map(|item| match item {
            Item::Delivery(_, prepared) => match prepared.as_top() {
                Some(top) => format!("top {}", top.offset),
                None => prepared.offset().to_string(),
            },
            Item::StreamEnd(..) | Item::Frame(_) | Item::Control(_) | Item::Describe(_) => {
                "else".to_owned()
            }
        })
        .collect()
}

#[test]
fn what_was_lost_comes_before_what_came_after_it() {
    let (delivery, handle) = subscribed();
    lose(&delivery);
    publish(&delivery, 4);
    assert_eq!(taken(&handle), [""; 0], "it waits");
    assert!(delivery.release(&channel(), Some((1, history(2..=4, 4)))));
    assert_eq!(taken(&handle), ["2", "3", "4", "top 4", "4"]);
    publish(&delivery, 5);
    assert_eq!(taken(&handle), ["5"], "nothing is held any more");
}

#[test]
fn a_part_of_what_was_lost_helps_nobody() {
    let (delivery, handle) = subscribed();
    for found in [history(2..=3, 9), history(5..=9, 9), history([], 9)] {
        lose(&delivery);
        assert!(delivery.release(&channel(), Some((1, found))));
        assert_eq!(taken(&handle), ["top 9"]);
    }
}

#[test]
fn what_is_lost_meanwhile_is_looked_for_too() {
    let (delivery, handle) = subscribed();
    lose(&delivery);
    lose(&delivery);
    assert!(!delivery.release(&channel(), Some((1, history(2..=2, 2)))));
    publish(&delivery, 4);
    assert_eq!(taken(&handle), [""; 0]);
    assert!(delivery.release(&channel(), Some((1, history(2..=4, 4)))));
    assert_eq!(taken(&handle), ["2", "3", "4", "top 4", "4"]);
}

#[test]
fn no_more_waits_than_there_is_room_for() {
    let (delivery, handle) = subscribed();
    lose(&delivery);
    for offset in 0..=HELD_MAX as u64 {
        publish(&delivery, offset + 3);
    }
    assert_eq!(taken(&handle).len(), HELD_MAX + 1);
    publish(&delivery, 1_000);
    assert_eq!(taken(&handle), ["1000"]);
    assert!(delivery.release(&channel(), None));
    assert_eq!(taken(&handle), [""; 0]);
}

#[test]
fn a_channel_of_nobody_is_not_repaired() {
    let (delivery, _handle) = subscribed();
    let other = ChannelName::new("other").unwrap();
    gyre_engine::Inlet::on_gap(&*delivery, &other);
    assert!(!delivery.repairs.is_busy());
    lose(&delivery);
    assert!(delivery.repairs.is_busy());
}
