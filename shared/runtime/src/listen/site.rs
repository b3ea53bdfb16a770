use std::fmt;
use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use bytes::Bytes;
use http::Request;

use super::Head;
use super::metrics::Metrics;
use super::responder::Responder;
use super::stream::Stream;
use crate::Tasks;
use crate::tls::Tls;

/// Takes connections away from the HTTP server: those of clients, which are many and live long.
///
/// Over HTTP/1 that is the connection, over HTTP/2 the request and its response. A `CONNECT` over HTTP/2
/// is one for a WebSocket.
pub trait Intercept: Send + Sync + 'static {
    /// Whether a request with this head is for us. Asked once per request; must be quick.
    ///
    /// Not asked for a request with a chunked body that is not the first of its connection: the
    /// routes of the site answer that.
    fn claims(&self, head: &Head) -> bool;

    /// Takes over the connection of a request that was claimed. Nothing was answered yet.
    ///
    /// Runs in the task that read the head and must not block: whatever takes time gets a task of
    /// its own.
    fn take(self: Arc<Self>, connection: Taken);
}

/// A connection that an [`Intercept`] takes over.
#[derive(Debug)]
pub struct Taken {
    /// The stream, with `TCP_NODELAY` set.
    pub stream: Stream,
    /// The request head that was claimed.
    pub head: Head,
    /// Begins the response.
    pub responder: Responder,
    /// Bytes that were already read after the head.
    pub rest: Bytes,
    /// Where the connection comes from.
    pub peer: SocketAddr,
}

/// What is served at one address.
#[derive(Clone, Default)]
pub struct Site {
    http: Router,
    grpc: Option<Router>,
    intercepts: Vec<Arc<dyn Intercept>>,
    tls: Option<Tls>,
    /// Whether clients over HTTP/2 are told that they may open WebSockets.
    tunnels: bool,
}

impl Site {
    /// Serves these routes.
    ///
    /// # Panics
    ///
    /// If a path is served already, or if both have a fallback: check configured paths before.
    pub fn route(&mut self, routes: Router) -> &mut Self {
        self.http = mem::take(&mut self.http).merge(routes);
        self
    }

    /// Serves these gRPC services, to requests whose content type says so.
    pub fn grpc(&mut self, services: Router) -> &mut Self {
        self.grpc = Some(services);
        self
    }

    /// Asks this intercept before anything else answers; those given earlier come first.
    pub fn intercept(&mut self, intercept: Arc<dyn Intercept>) -> &mut Self {
        self.intercepts.push(intercept);
        self
    }

    /// Tells clients over HTTP/2 that they may open WebSockets there (RFC 8441).
    pub fn tunnels(&mut self) -> &mut Self {
        self.tunnels = true;
        self
    }

    /// Speaks TLS, and nothing else.
    pub fn tls(&mut self, tls: Tls) -> &mut Self {
        self.tls = Some(tls);
        self
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site")
            .field("has_grpc", &self.grpc.is_some())
            .field("intercepts", &self.intercepts.len())
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

/// What the connections of one address share.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) site: Site,
    pub(super) metrics: Metrics,
    pub(super) tasks: Tasks,
}

/// Who answers a request.
pub(super) enum Claimed<B> {
    /// An intercept, which takes head and body.
    By(Arc<dyn Intercept>, Head, B),
    /// The routes: the request is as it was.
    ByNobody(Request<B>),
}

impl Server {
    pub(super) const fn http(&self) -> &Router {
        &self.site.http
    }

    pub(super) const fn grpc(&self) -> Option<&Router> {
        self.site.grpc.as_ref()
    }

    pub(super) const fn tls(&self) -> Option<&Tls> {
        self.site.tls.as_ref()
    }

    pub(super) const fn tunnels(&self) -> bool {
        self.site.tunnels
    }

    /// Who answers a request.
    pub(super) fn claim<B>(&self, request: Request<B>) -> Claimed<B> {
        if self.site.intercepts.is_empty() {
            return Claimed::ByNobody(request);
        }
        let (mut parts, body) = request.into_parts();
        let head = Head::take(&mut parts);
        if let Some(intercept) = self.claimant(&head) {
            return Claimed::By(intercept, head, body);
        }
        head.put_back(&mut parts);
        Claimed::ByNobody(Request::from_parts(parts, body))
    }

    /// Who claims this head.
    pub(super) fn claimant(&self, head: &Head) -> Option<Arc<dyn Intercept>> {
        let mut intercepts = self.site.intercepts.iter();
        intercepts.find(|one| one.claims(head)).map(Arc::clone)
    }
}
