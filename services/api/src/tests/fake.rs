//! An engine and a gateway that remember what they were asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use gyre_engine::{
    BoxFuture, Broker, Engine, Error, Features, Gateway, History, HistoryQuery, HistoryRead,
    Members, Order, Presence, PresenceStats, Publish, PublishOptions, Published, Registry,
    Suppressed,
};
use gyre_proto::api::{ConnectionInfo, Metrics, NodeResult};
use gyre_proto::gateway::gateway_service_server::GatewayService;
use gyre_proto::gateway::{
    Channel, ChannelsRequest, ChannelsResponse, Connection, ConnectionsRequest,
    ConnectionsResponse, DisconnectRequest, DisconnectResponse, DrainRequest, DrainResponse,
    EmulateRequest, EmulateResponse, FollowAccessRequest, FollowAccessResponse, InfoRequest,
    InfoResponse, NewestRequest, NewestResponse, RefreshRequest, RefreshResponse, RevokeRequest,
    RevokeResponse, SubscribeRequest, SubscribeResponse, UnsubscribeRequest, UnsubscribeResponse,
};
use gyre_protocol::messages::{ClientInfo, Publication};
use gyre_types::{ChannelName, ClientId, Epoch, Position};
use parking_lot::Mutex;
use tonic::{Request, Response, Status};

/// A broker without expiry, epochs or subscribers; a presence store of one member; a gateway that
/// finds one connection. Channels with `down` in their names fail.
#[derive(Clone, Debug, Default)]
pub(super) struct Fake {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    channels: BTreeMap<ChannelName, Vec<Arc<Publication>>>,
    keys: BTreeMap<(ChannelName, String), Published>,
    log: Vec<String>,
    info: Option<ClientInfo>,
}

impl Fake {
    pub(super) fn engine(&self) -> Engine {
        Engine {
            broker: Arc::new(self.clone()),
            presence: Arc::new(self.clone()),
            registry: Arc::new(self.clone()),
        }
    }

    /// What was done since the last look, one line each.
    pub(super) fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().log)
    }

    /// Who is in every channel.
    pub(super) fn set_member(&self, info: ClientInfo) {
        self.state.lock().info = Some(info);
    }

    fn log(&self, line: String) {
        self.state.lock().log.push(line);
    }

    fn put(
        &self,
        channel: &ChannelName,
        publication: &Publication,
        options: &PublishOptions<'_>,
    ) -> Result<Published, Error> {
        is_up(channel)?;
        let mut state = self.state.lock();
        let key = (channel.clone(), options.idempotency_key.to_owned());
        if let Some(first) = state.keys.get(&key) {
            let suppressed = Some(Suppressed::Idempotency);
            return Ok(Published {
                suppressed,
                ..*first
            });
        }
        let mut line = format!("publish {channel} {:?}", publication.data);
        if publication.version > 0 {
            line += &format!(
                " version {} of {:?}",
                publication.version, options.version_epoch
            );
        }
        if options.with_previous {
            line += " delta";
        }
        state.log.push(line);
        let position = options.retention.map(|retention| {
            let kept = state.channels.entry(channel.clone()).or_default();
            let offset = kept.len() as u64 + 1;
            kept.push(Arc::new(Publication {
                offset,
                ..publication.clone()
            }));
            assert_eq!((retention.size, retention.ttl.as_secs()), (10, 60));
            Position {
                offset,
                epoch: epoch(),
            }
        });
        let published = Published {
            position,
            suppressed: None,
        };
        if !options.idempotency_key.is_empty() {
            state.keys.insert(key, published);
        }
        Ok(published)
    }
}

fn epoch() -> Epoch {
    Epoch::new("life").unwrap_or_default()
}

fn is_up(channel: &ChannelName) -> Result<(), Error> {
    if channel.as_str().contains("down") {
        return Err(Error::Unavailable {
            reason: "down".to_owned(),
        });
    }
    Ok(())
}

impl Broker for Fake {
    fn features(&self) -> Features {
        Features {
            history: true,
            cross_node: false,
        }
    }

    fn publish<'a>(
        &'a self,
        channel: &'a ChannelName,
        publish: Publish<'a>,
    ) -> BoxFuture<'a, Result<Published, Error>> {
        Box::pin(async move { self.put(channel, publish.publication, &publish.options) })
    }

    fn publish_to_many<'a>(
        &'a self,
        channels: &'a [(ChannelName, PublishOptions<'a>)],
        publication: &'a Publication,
    ) -> BoxFuture<'a, Vec<Result<Published, Error>>> {
        Box::pin(async move {
            assert!(channels.len() <= 1024);
            channels
                .iter()
                .map(|(channel, options)| self.put(channel, publication, options))
                .collect()
        })
    }

    fn publish_join<'a>(
        &'a self,
        _channel: &'a ChannelName,
        _info: &'a ClientInfo,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async { Ok(()) })
    }

    fn publish_leave<'a>(
        &'a self,
        _channel: &'a ChannelName,
        _info: &'a ClientInfo,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async { Ok(()) })
    }

    fn subscribe<'a>(&'a self, _channel: &'a ChannelName) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async { Ok(()) })
    }

    fn unsubscribe(&self, _channel: &ChannelName) {}

    fn history<'a>(
        &'a self,
        channel: &'a ChannelName,
        query: HistoryQuery<'a>,
    ) -> BoxFuture<'a, HistoryRead> {
        Box::pin(async move {
            is_up(channel)?;
            let state = self.state.lock();
            let kept = state
                .channels
                .get(channel)
                .map(Vec::as_slice)
                .unwrap_or_default();
            let top = Position {
                offset: kept.len() as u64,
                epoch: epoch(),
            };
            if query
                .since
                .is_some_and(|(_, given)| !given.is_empty() && given != "life")
            {
                return Err(Error::UnrecoverablePosition { top });
            }
            let limit = query.limit.unwrap_or(usize::MAX);
            let since = query.since.map(|(offset, _)| offset);
            let publications = match query.order {
                Order::Forward => kept
                    .iter()
                    .filter(|one| one.offset > since.unwrap_or(0))
                    .take(limit)
                    .cloned()
                    .collect(),
                Order::Reverse => kept
                    .iter()
                    .rev()
                    .filter(|one| one.offset < since.unwrap_or(u64::MAX))
                    .take(limit)
                    .cloned()
                    .collect(),
            };
            Ok(History { top, publications })
        })
    }

    fn remove_history<'a>(&'a self, channel: &'a ChannelName) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            is_up(channel)?;
            self.log(format!("remove history of {channel}"));
            Ok(())
        })
    }
}

impl Presence for Fake {
    fn add<'a>(
        &'a self,
        _channel: &'a ChannelName,
        _client: &'a ClientId,
        _info: Arc<ClientInfo>,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async { Ok(()) })
    }

    fn remove<'a>(
        &'a self,
        _channel: &'a ChannelName,
        _client: &'a ClientId,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async { Ok(()) })
    }

    fn members<'a>(&'a self, channel: &'a ChannelName) -> BoxFuture<'a, Result<Members, Error>> {
        Box::pin(async move {
            is_up(channel)?;
            let member = self.state.lock().info.clone();
            Ok(member
                .into_iter()
                .map(|info| (ClientId::new(&info.client), Arc::new(info)))
                .collect())
        })
    }

    fn stats<'a>(
        &'a self,
        channel: &'a ChannelName,
    ) -> BoxFuture<'a, Result<PresenceStats, Error>> {
        Box::pin(async move {
            is_up(channel)?;
            Ok(PresenceStats {
                clients: 3,
                users: 2,
            })
        })
    }
}

impl Registry for Fake {
    fn announce(&self, _gateway: Gateway) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async { Ok(()) })
    }

    fn withdraw<'a>(&'a self, _id: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async { Ok(()) })
    }

    fn gateways(&self) -> BoxFuture<'_, Result<Vec<Gateway>, Error>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

impl Fake {
    /// 25 000 channels `c00000` and on, each with a subscriber; the pattern `down` fails.
    fn channels(&self, request: &ChannelsRequest) -> Result<ChannelsResponse, Status> {
        self.log(format!(
            "channels after {:?} limit {}",
            request.after, request.limit
        ));
        match request.pattern.as_str() {
            "down" => return Err(Status::deadline_exceeded("down")),
            "[" => return Err(Status::invalid_argument("not a pattern")),
            _ => {}
        }
        let before = request.after.get(1..).and_then(|text| text.parse().ok());
        let names = (before.unwrap_or(0)..25_000).map(|number| format!("c{number:05}"));
        let names = names.filter(|name| *name > request.after);
        let mut channels: Vec<_> = names
            .take(request.limit as usize + 1)
            .map(|name| Channel {
                name,
                num_clients: 1,
            })
            .collect();
        let mut next = String::new();
        if channels.len() > request.limit as usize {
            channels.pop();
            next = channels.last().unwrap().name.clone();
        }
        Ok(ChannelsResponse { channels, next })
    }

    /// Three connections of anybody, the last of which has just ended.
    fn connections(&self, request: &ConnectionsRequest) -> Result<ConnectionsResponse, Status> {
        let condition = match request.expression.as_str() {
            "" => String::new(),
            expression => format!(" if {expression}"),
        };
        self.log(format!(
            "connections after {:?} limit {}{condition}",
            request.after, request.limit
        ));
        if request.user == "down" {
            return Err(Status::internal("down"));
        }
        let clients = ["c-1", "c-2", "c-3"];
        let clients: Vec<_> = clients
            .into_iter()
            .filter(|one| **one > *request.after)
            .collect();
        let page = clients.get(..request.limit as usize).unwrap_or(&clients);
        let next = match clients.len() > page.len() {
            true => page.last().unwrap().to_string(),
            false => String::new(),
        };
        let connection = |client: &&str| Connection {
            client: (*client).to_owned(),
            info: Some(ConnectionInfo {
                user: request.user.clone(),
                transport: "websocket".to_owned(),
                ping_pong_latency_ms: -1,
                ..ConnectionInfo::default()
            }),
        };
        let page = page.iter().filter(|one| **one != "c-3").map(connection);
        Ok(ConnectionsResponse {
            connections: page.collect(),
            next,
        })
    }

    /// Logs a command without its id, which has to be there.
    fn command<T: std::fmt::Debug>(&self, id: &bytes::Bytes, command: T) -> Result<u32, Status> {
        let line = format!("{command:?}").replace(&format!("{id:?}"), "ID");
        self.log(line.clone());
        match line {
            _ if id.len() != 16 => Err(Status::internal("no id")),
            line if line.contains("user: \"down\"") => Err(Status::internal("down")),
            line if line.contains("user: \"gone\"") => Err(Status::unavailable("gone")),
            line if line.contains("user: \"bad\"") => Err(Status::invalid_argument("bad")),
            _ => Ok(1),
        }
    }
}

macro_rules! commands {
    ($($name:ident $request:ident $response:ident;)*) => {
        #[tonic::async_trait]
        impl GatewayService for Fake {
            $(async fn $name(
                &self,
                request: Request<$request>,
            ) -> Result<Response<$response>, Status> {
                let command = request.into_inner();
                let matched = self.command(&command.command_id.clone(), command)?;
                Ok(Response::new($response { matched }))
            })*

            async fn newest(
                &self,
                _request: Request<NewestRequest>,
            ) -> Result<Response<NewestResponse>, Status> {
                Err(Status::unimplemented("fake"))
            }

            async fn follow_access(
                &self,
                _request: Request<FollowAccessRequest>,
            ) -> Result<Response<FollowAccessResponse>, Status> {
                Ok(Response::new(FollowAccessResponse {}))
            }

            async fn emulate(
                &self,
                _request: Request<EmulateRequest>,
            ) -> Result<Response<EmulateResponse>, Status> {
                Err(Status::unimplemented("no client asks the API for this"))
            }

            async fn info(
                &self,
                _request: Request<InfoRequest>,
            ) -> Result<Response<InfoResponse>, Status> {
                let metrics = Metrics { interval: 60.0, items: [("a.b".to_owned(), 1.5)].into() };
                let node = NodeResult {
                    uid: "u".to_owned(),
                    name: "n".to_owned(),
                    version: "0".to_owned(),
                    metrics: Some(metrics),
                    ..NodeResult::default()
                };
                Ok(Response::new(InfoResponse { node: Some(node) }))
            }

            async fn channels(
                &self,
                request: Request<ChannelsRequest>,
            ) -> Result<Response<ChannelsResponse>, Status> {
                self.channels(&request.into_inner()).map(Response::new)
            }

            async fn connections(
                &self,
                request: Request<ConnectionsRequest>,
            ) -> Result<Response<ConnectionsResponse>, Status> {
                let request = request.into_inner();
                if request.user == "slow" {
                    std::future::pending::<()>().await;
                }
                self.connections(&request).map(Response::new)
            }

            async fn drain(
                &self,
                request: Request<DrainRequest>,
            ) -> Result<Response<DrainResponse>, Status> {
                Ok(Response::new(DrainResponse {
                    uid: "u".to_owned(),
                    name: "n".to_owned(),
                    draining: request.into_inner().gateway == "n",
                    connections: 5,
                    told: 3,
                    cut: 0,
                }))
            }
        }
    };
}

commands! {
    subscribe SubscribeRequest SubscribeResponse;
    unsubscribe UnsubscribeRequest UnsubscribeResponse;
    disconnect DisconnectRequest DisconnectResponse;
    refresh RefreshRequest RefreshResponse;
    revoke RevokeRequest RevokeResponse;
}
