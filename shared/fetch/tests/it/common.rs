//! A small HTTP server that a test answers for, over TCP or TLS.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// What is answered at a path: status, headers, body.
pub(crate) type Answer = (u16, Vec<(&'static str, String)>, String);

/// What a server answers, by path, and what it was asked for.
#[derive(Default)]
pub(crate) struct Site {
    answers: Mutex<BTreeMap<String, Answer>>,
    asked: Mutex<Vec<String>>,
}

impl Site {
    pub(crate) fn put(&self, path: &str, body: &str) {
        self.answer(path, (200, Vec::new(), body.to_owned()));
    }

    pub(crate) fn answer(&self, path: &str, answer: Answer) {
        self.answers.lock().insert(path.to_owned(), answer);
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.lock().len()
    }
}

/// A server that runs until it is dropped, or killed with all its connections.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(site: &Arc<Site>) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), site, None).await
    }

    /// Where a server stood before.
    pub(crate) async fn restart(address: SocketAddr, site: &Arc<Site>) -> Self {
        Self::at(address, site, None).await
    }

    pub(crate) async fn start_tls(site: &Arc<Site>, tls: TlsAcceptor) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), site, Some(tls)).await
    }

    async fn at(address: SocketAddr, site: &Arc<Site>, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let site = Arc::clone(site);
        #[expect(
            clippy::disallowed_methods,
            reason = "the test's own server, ended by its handle"
        )]
        let task = tokio::task::spawn(async move {
            // The connections end with their set, which ends with the task.
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    return;
                };
                connections.spawn(serve(stream, Arc::clone(&site), tls.clone()));
            }
        });
        Self { address, task }
    }

    /// Ends the server; its port is free and its connections are closed when this returns.
    pub(crate) async fn kill(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(stream: TcpStream, site: Arc<Site>, tls: Option<TlsAcceptor>) {
    let service = service_fn(move |request| {
        let answer = respond(&site, &request);
        async { Ok::<_, Infallible>(answer) }
    });
    match tls {
        None => {
            let io = TokioIo::new(stream);
            let _ = http1::Builder::new().serve_connection(io, service).await;
        }
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                let io = TokioIo::new(stream);
                let _ = http1::Builder::new().serve_connection(io, service).await;
            }
        }
    }
}

fn respond(site: &Site, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    let found = site.answers.lock().get(&path).cloned();
    site.asked.lock().push(path);
    let (status, headers, body) = found.unwrap_or((404, Vec::new(), String::new()));
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(Full::new(body.into())).unwrap()
}
