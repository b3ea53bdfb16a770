use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use gyre_config::Links;
use gyre_engine::{Gateway, Registry};
use gyre_proto::gateway::InfoRequest;
use gyre_proto::gateway::gateway_service_client::GatewayServiceClient;
use gyre_rpc::{Link, host_and_port};
use parking_lot::Mutex;
use tokio::time::timeout;

use crate::wiring::{OpenError, Wiring};

/// The word in `links.gateways` that stands for the engine's registry.
const REGISTRY: &str = "registry";

/// Longest wait for a name to be looked up. Two seconds: what was known before serves meanwhile.
const LOOKUP_WAIT_MAX: Duration = Duration::from_secs(2);

/// Longest wait for a gateway to say who it is. One second.
const INTRODUCTION_WAIT_MAX: Duration = Duration::from_secs(1);

/// A gateway and the way to it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Peer {
    /// What people call it: its name in the registry, or its address.
    pub name: String,
    /// The way to it.
    pub link: Link,
}

/// The gateways of this moment.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// Those that are known.
    pub peers: Vec<Peer>,
    /// What could not be asked for more: there may be others behind it.
    pub unanswered: Vec<String>,
}

/// Knows the gateways. Cheap to clone; clones share what they know.
#[derive(Clone)]
pub struct Directory {
    own: Option<Arc<Own>>,
    inner: Arc<Inner>,
}

struct Inner {
    source: Source,
    wiring: Wiring,
    state: Mutex<State>,
}

/// The gateway in this process.
struct Own {
    id: String,
    peer: Peer,
}

enum Source {
    /// There is nobody else.
    Nowhere,
    /// Entries `host:port`, as configured.
    Addresses(Vec<String>),
    Registry(Arc<dyn Registry>),
}

#[derive(Default)]
struct State {
    /// By address. One that is listed no more is dropped.
    links: BTreeMap<String, Link>,
    /// What each name stood for when it was last looked up.
    resolved: BTreeMap<String, Vec<String>>,
    /// Whom the registry named last.
    registered: Vec<Gateway>,
    /// Who answered at an address, for those that have been asked.
    ids: BTreeMap<String, String>,
}

/// What an entry of `links.gateways` stands for.
#[derive(Default)]
struct Resolved {
    places: Vec<Place>,
    /// It could not be looked up now.
    is_old: bool,
}

/// Where a gateway is, before there is a link to it.
struct Place {
    name: String,
    address: String,
    host: String,
}

impl Directory {
    /// The gateway in this process, and nobody else.
    #[must_use]
    pub fn local(id: &str, name: &str, link: Link) -> Self {
        Self::of(Source::Nowhere, Wiring::default()).with_own(id, name, link)
    }

    /// The gateways that section `links` names; `registry` is the engine's.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn open(links: &Links, registry: &Arc<dyn Registry>) -> Result<Self, OpenError> {
        let wiring = Wiring::new(links)?;
        let entries = &links.gateways;
        let source = if entries.is_empty() {
            Source::Nowhere
        } else if entries.iter().any(|entry| entry == REGISTRY) {
            if entries.len() > 1 {
                return Err(OpenError::Mixed);
            }
            Source::Registry(Arc::clone(registry))
        } else {
            for entry in entries {
                host_and_port(entry).ok_or_else(|| gyre_rpc::BadAddress {
                    address: entry.clone(),
                })?;
            }
            Source::Addresses(entries.clone())
        };
        Ok(Self::of(source, wiring))
    }

    /// The same, with a gateway in this process: its id, its name and the way to it. What is known of
    /// the others is shared.
    #[must_use]
    pub fn with_own(&self, id: &str, name: &str, link: Link) -> Self {
        let peer = Peer {
            name: name.to_owned(),
            link,
        };
        let id = id.to_owned();
        Self {
            own: Some(Arc::new(Own { id, peer })),
            inner: Arc::clone(&self.inner),
        }
    }

    fn of(source: Source, wiring: Wiring) -> Self {
        let inner = Arc::new(Inner {
            source,
            wiring,
            state: Mutex::default(),
        });
        Self { own: None, inner }
    }

    /// Every gateway there is now. A source that does not answer is told of, and what it named last
    /// stands in for it.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn all(&self) -> Listed {
        let mut listed = Listed::default();
        let places = self.places(&mut listed.unanswered).await;
        let inner = &*self.inner;
        listed
            .peers
            .extend(self.own.as_ref().map(|own| own.peer.clone()));
        let mut state = inner.state.lock();
        state.forget_others(&places);
        for place in places {
            if self.is_own(&state, &place) {
                continue;
            }
            match state.link(&inner.wiring, &place) {
                Some(link) => listed.peers.push(Peer {
                    name: place.name,
                    link,
                }),
                None => listed.unanswered.push(place.name),
            }
        }
        listed
    }

    /// The gateway of an id, if there is one.
    ///
    /// Without a registry the gateways are asked who they are.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn find(&self, id: &str) -> Option<Peer> {
        let inner = &*self.inner;
        if let Some(own) = self.own.as_ref().filter(|own| own.id == id) {
            return Some(own.peer.clone());
        }
        if let Source::Registry(_) = &inner.source {
            let gateways = self.registered(&mut Vec::new()).await;
            let found = gateways.into_iter().find(|gateway| gateway.id == id)?;
            let place = Place::of(found)?;
            let link = inner.state.lock().link(&inner.wiring, &place)?;
            return Some(Peer {
                name: place.name,
                link,
            });
        }
        self.introduced(id).await
    }

    /// Looks among those that have said who they are, then asks all of them at once.
    async fn introduced(&self, id: &str) -> Option<Peer> {
        let inner = &*self.inner;
        let places = self.places(&mut Vec::new()).await;
        if inner.place_of(id, &places).is_none() {
            inner.ask_all(&places).await;
        }
        let place = inner.place_of(id, &places)?;
        let link = inner.state.lock().link(&inner.wiring, place)?;
        Some(Peer {
            name: place.name.clone(),
            link,
        })
    }

    async fn places(&self, unanswered: &mut Vec<String>) -> Vec<Place> {
        match &self.inner.source {
            Source::Nowhere => Vec::new(),
            Source::Registry(_) => {
                let gateways = self.registered(unanswered).await;
                gateways.into_iter().filter_map(Place::of).collect()
            }
            Source::Addresses(entries) => {
                let resolved = entries.iter().map(|entry| self.inner.resolve(entry));
                let mut places = Vec::with_capacity(entries.len());
                for (entry, resolved) in entries.iter().zip(join_all(resolved).await) {
                    if resolved.is_old {
                        unanswered.push(entry.clone());
                    }
                    places.extend(resolved.places);
                }
                if self.own.is_some() {
                    self.introduce_all(&places).await;
                }
                places
            }
        }
    }

    /// Asks whoever has not said who it is, so that the gateway in this process is not called twice.
    async fn introduce_all(&self, places: &[Place]) {
        let strangers = {
            let state = self.inner.state.lock();
            let is_known = |place: &&Place| state.ids.contains_key(&place.address);
            let strangers = places.iter().filter(|place| !is_known(place));
            strangers.collect::<Vec<_>>()
        };
        self.inner.ask_all(strangers).await;
    }

    fn is_own(&self, state: &State, place: &Place) -> bool {
        let own = self.own.as_ref().map(|own| &own.id);
        own.is_some() && state.ids.get(&place.address) == own
    }

    /// Everybody in the registry but the gateway in this process.
    async fn registered(&self, unanswered: &mut Vec<String>) -> Vec<Gateway> {
        let Source::Registry(registry) = &self.inner.source else {
            return Vec::new();
        };
        let read = registry.gateways().await;
        let mut state = self.inner.state.lock();
        match read {
            Ok(gateways) => state.registered = gateways,
            Err(error) => {
                tracing::warn!(%error, "the registry of gateways did not answer");
                unanswered.push(REGISTRY.to_owned());
            }
        }
        let own = self.own.as_ref().map(|own| own.id.as_str());
        let others = state.registered.iter();
        others
            .filter(|gateway| Some(gateway.id.as_str()) != own)
            .cloned()
            .collect()
    }
}

impl Inner {
    /// What an entry stands for now, or stood for when it was last known.
    async fn resolve(&self, entry: &str) -> Resolved {
        let Some((host, port)) = host_and_port(entry) else {
            return Resolved::default();
        };
        let looked_up = timeout(LOOKUP_WAIT_MAX, tokio::net::lookup_host((host, port))).await;
        let found: BTreeSet<String> = match looked_up {
            Ok(Ok(addresses)) => addresses.map(|address| address.to_string()).collect(),
            Ok(Err(_)) | Err(_) => BTreeSet::new(),
        };
        let is_old = found.is_empty();
        let mut state = self.state.lock();
        if is_old {
            tracing::warn!(entry, "links.gateways: nobody of that name is known");
        } else {
            let found = found.into_iter().collect();
            state.resolved.insert(entry.to_owned(), found);
        }
        let addresses = state.resolved.get(entry).cloned().unwrap_or_default();
        let places = addresses.into_iter().map(|address| Place {
            name: if address == entry {
                address.clone()
            } else {
                format!("{entry} at {address}")
            },
            address,
            host: host.to_owned(),
        });
        Resolved {
            places: places.collect(),
            is_old,
        }
    }

    /// Asks all of these gateways at once who they are. One that does not answer stays a stranger.
    async fn ask_all<'p>(&self, places: impl IntoIterator<Item = &'p Place>) {
        join_all(places.into_iter().map(|place| self.ask(place))).await;
    }

    /// Asks a gateway who it is.
    async fn ask(&self, place: &Place) {
        let Some(link) = self.state.lock().link(&self.wiring, place) else {
            return;
        };
        let mut client = GatewayServiceClient::new(link);
        let asked = timeout(INTRODUCTION_WAIT_MAX, client.info(InfoRequest {})).await;
        if let Ok(Ok(answer)) = asked
            && let Some(node) = answer.into_inner().node
        {
            let mut state = self.state.lock();
            state.ids.insert(place.address.clone(), node.uid);
        }
    }

    /// Where the gateway of this id has said to be.
    fn place_of<'p>(&self, id: &str, places: &'p [Place]) -> Option<&'p Place> {
        let state = self.state.lock();
        let is_there = |place: &&Place| state.ids.get(&place.address).is_some_and(|one| one == id);
        places.iter().find(is_there)
    }
}

impl State {
    /// The link to a place, made now if there is none.
    fn link(&mut self, wiring: &Wiring, place: &Place) -> Option<Link> {
        if let Some(link) = self.links.get(&place.address) {
            return Some(link.clone());
        }
        match wiring.link(&place.address, &place.host) {
            Ok(link) => {
                self.links.insert(place.address.clone(), link.clone());
                Some(link)
            }
            Err(error) => {
                tracing::warn!(%error, gateway = place.name, "a gateway cannot be called");
                None
            }
        }
    }

    fn forget_others(&mut self, places: &[Place]) {
        let is_listed = |address: &String| places.iter().any(|place| place.address == *address);
        self.links.retain(|address, _| is_listed(address));
        self.ids.retain(|address, _| is_listed(address));
    }
}

impl Place {
    /// Where a registered gateway is; `None` if only its own process reaches it.
    fn of(gateway: Gateway) -> Option<Self> {
        let (host, _port) = host_and_port(&gateway.address)?;
        Some(Self {
            host: host.to_owned(),
            name: gateway.name,
            address: gateway.address,
        })
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
