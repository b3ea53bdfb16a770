//! What a session may cost: no allocation per delivery, a kibibyte when idle.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a test stops at the first surprise"
)]

use std::sync::Arc;

use bytes::Bytes;
use gyre_allocator::{allocations, held};
use gyre_config::Config;
use gyre_policy::Policy;
use gyre_protocol::messages::{ConnectRequest, Publication, SubscribeRequest};
use gyre_protocol::prepared::Prepared;
use gyre_protocol::{Command, Envelope, Format, Request};
use gyre_session::{
    Completion, Effect, Grants, HistoryPart, Session, Settings, Subscribed, Transport,
};
use gyre_types::{ChannelName, ClientId, Epoch, HubSlot, Now, Position, SubscriptionId};

/// Budget of an idle session, everything it owns included. Unit: bytes.
const IDLE_BYTES_MAX: isize = 1024;

/// Budget of one more subscription. Unit: bytes.
const SUBSCRIPTION_BYTES_MAX: isize = 240;

#[test]
fn delivery_allocates_nothing() {
    let mut session = connected(&settings());
    let id = subscribe(&mut session, 2, "news");
    let channel = ChannelName::new("news").unwrap();
    let deliveries: Vec<Arc<Prepared>> = (0..1_000)
        .map(|_| {
            let publication = Arc::new(Publication {
                data: Bytes::from_static(b"{\"x\":1}"),
                ..Publication::default()
            });
            Arc::new(Prepared::publication(
                &channel,
                publication,
                Epoch::default(),
                None,
            ))
        })
        .collect();
    let (first, rest) = deliveries.split_first().unwrap();
    deliver(&mut session, id, first); // Gives the queue its working size.
    let before = allocations();
    for prepared in rest {
        // Encoding is once per publication, not per subscriber.
        let encoded = prepared.message(
            Format::Json,
            Envelope::Reply,
            gyre_protocol::prepared::Form::Full,
        );
        assert!(encoded.is_ok());
    }
    let encoding = allocations() - before;
    for prepared in rest {
        deliver(&mut session, id, prepared);
    }
    assert_eq!(allocations() - before - encoding, 0);
}

#[test]
fn an_idle_session_is_small() {
    let settings = settings();
    let before = held();
    let mut session = Box::new(connected(&settings));
    let idle = held() - before;
    assert!(idle <= IDLE_BYTES_MAX, "{idle} bytes");

    for n in 0..10 {
        subscribe(&mut session, n + 2, &format!("channel-{n}"));
    }
    let each = (held() - before - idle) / 10;
    assert!(each <= SUBSCRIPTION_BYTES_MAX, "{each} bytes");
}

fn settings() -> Arc<Settings> {
    let mut config = Config::default();
    config.client.insecure = true;
    let policy = Policy::new(&config.channel, &config.client, &config.rpc).unwrap();
    Arc::new(Settings::new(&config, Arc::new(policy), "test"))
}

fn connected(settings: &Arc<Settings>) -> Session {
    let transport = Transport {
        format: Format::Json,
        envelope: Envelope::Reply,
        app_pings: true,
        tells_disconnect: false,
    };
    let client = ClientId::new("00000000-0000-4000-8000-000000000000");
    let now = Now::default();
    let mut session = Session::new(Arc::clone(settings), transport, client, 7, now);
    command(
        &mut session,
        1,
        Request::Connect(Box::<ConnectRequest>::default()),
    );
    while session.poll_message().is_some() {}
    assert!(session.is_connected());
    session
}

fn subscribe(session: &mut Session, id: u32, channel: &str) -> SubscriptionId {
    let request = SubscribeRequest {
        channel: channel.to_owned(),
        ..SubscribeRequest::default()
    };
    let entered = command(session, id, Request::Subscribe(Box::new(request)));
    while session.poll_message().is_some() {}
    entered.unwrap()
}

/// Handles a command and completes its effects; the subscription that it entered.
fn command(session: &mut Session, id: u32, request: Request) -> Option<SubscriptionId> {
    let now = Now::default();
    session.handle_command(Command { id, request }, now);
    let mut entered = None;
    while let Some((ticket, effect)) = session.poll_effect() {
        let completion = match effect {
            Effect::Authenticate(request) => {
                Completion::Authenticated(request, Ok(Box::<Grants>::default()))
            }
            Effect::Register(_) => Completion::Registered(Ok(())),
            Effect::Subscribe(subscribe) => {
                entered = Some(subscribe.id);
                Completion::Subscribed(Ok(Box::new(Subscribed {
                    channel: subscribe.channel,
                    slot: HubSlot(0),
                    history: subscribe.read.map(|_| HistoryPart {
                        top: Position::default(),
                        publications: Vec::new(),
                    }),
                })))
            }
            other => panic!("unexpected: {other:?}"),
        };
        session.handle_completion(ticket, completion, now);
    }
    drop(session.poll_observations());
    entered
}

fn deliver(session: &mut Session, id: SubscriptionId, prepared: &Arc<Prepared>) {
    session.handle_delivery(id, prepared, Now::default());
    assert!(session.poll_message().is_some());
}
