//! Backends that do what a test says: in the words of HTTP and gRPC, or with bare bytes.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use http::{HeaderMap, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A future of a connection.
pub(crate) type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A server that runs until it is dropped, with all its connections.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) accepted: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Server {
    /// Does with every connection what `serve` says.
    pub(crate) async fn raw(serve: impl Fn(TcpStream) -> Serving + Send + 'static) -> Self {
        Self::raw_at("127.0.0.1:0".parse().unwrap(), serve).await
    }

    /// The same at an address where a server stood before.
    pub(crate) async fn raw_at(
        address: SocketAddr,
        serve: impl Fn(TcpStream) -> Serving + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        #[expect(
            clippy::disallowed_methods,
            reason = "the test's own server, ended by its handle"
        )]
        let task = tokio::spawn(async move {
            // The connections end with their set, which ends with the task.
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    return;
                };
                count.fetch_add(1, Ordering::SeqCst);
                stream.set_nodelay(true).unwrap();
                connections.spawn(serve(stream));
            }
        });
        Self {
            address,
            accepted,
            task,
        }
    }

    /// Answers requests over HTTP/1.1 and HTTP/2.
    pub(crate) async fn http(script: &Arc<Script>) -> Self {
        Self::http_at("127.0.0.1:0".parse().unwrap(), script).await
    }

    /// The same at an address where a server stood before.
    pub(crate) async fn http_at(address: SocketAddr, script: &Arc<Script>) -> Self {
        let script = Arc::clone(script);
        Self::raw_at(address, move |stream| {
            let script = Arc::clone(&script);
            Box::pin(async move { serve(stream, script).await })
        })
        .await
    }

    /// The same over TLS.
    pub(crate) async fn https(script: &Arc<Script>, tls: TlsAcceptor) -> Self {
        let script = Arc::clone(script);
        Self::raw(move |stream| {
            let (script, tls) = (Arc::clone(&script), tls.clone());
            Box::pin(async move {
                if let Ok(stream) = tls.accept(stream).await {
                    serve(stream, script).await;
                }
            })
        })
        .await
    }

    /// The address as HTTP has it, with a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
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

async fn serve<S>(stream: S, script: Arc<Script>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| respond(Arc::clone(&script), request));
    let server = auto::Builder::new(TokioExecutor::new());
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

/// What a backend was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) version: http::Version,
    pub(crate) headers: HeaderMap,
    /// The body; over gRPC the message.
    pub(crate) body: Bytes,
}

/// What a backend answers.
pub(crate) enum Reply {
    /// A status and a body over HTTP.
    Http(u16, Bytes),
    /// A message over gRPC.
    Grpc(Bytes),
    /// A status over gRPC.
    Status(u32),
    /// Bytes in the place of a message over gRPC, and no status.
    Bare(Bytes),
    /// Messages that a test sends, over gRPC; what the client sends goes to the test.
    Stream(mpsc::Receiver<Result<Bytes, u32>>, mpsc::Sender<Bytes>),
    /// Nothing, ever.
    Hang,
}

impl Reply {
    /// A body of JSON with status 200.
    pub(crate) fn json(text: &str) -> Self {
        Self::Http(200, Bytes::copy_from_slice(text.as_bytes()))
    }

    /// A message.
    pub(crate) fn message(message: &impl prost::Message) -> Self {
        Self::Grpc(message.encode_to_vec().into())
    }
}

/// Decides what is answered, and remembers what was asked.
pub(crate) struct Script {
    pub(crate) asked: Mutex<Vec<Asked>>,
    reply: Box<dyn Fn(&Asked) -> Reply + Send + Sync>,
}

impl Script {
    pub(crate) fn new(reply: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            asked: Mutex::default(),
            reply: Box::new(reply),
        })
    }

    /// The newest of what was asked.
    pub(crate) fn last(&self) -> Asked {
        self.asked.lock().last().unwrap().clone()
    }
}

async fn respond(script: Arc<Script>, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let (head, mut body) = request.into_parts();
    let is_grpc = head
        .headers
        .get("content-type")
        .is_some_and(|kind| kind == "application/grpc");
    let first = match is_grpc {
        // A stream goes on after its first message.
        true => message(&mut body, &mut BytesMut::new())
            .await
            .unwrap_or_default(),
        false => (&mut body)
            .collect()
            .await
            .map_err(io::Error::other)?
            .to_bytes(),
    };
    let asked = Asked {
        path: head.uri.path().to_owned(),
        version: head.version,
        headers: head.headers,
        body: first,
    };
    let reply = (script.reply)(&asked);
    script.asked.lock().push(asked);
    let (kind, body) = match reply {
        Reply::Hang => std::future::pending().await,
        Reply::Http(status, body) => {
            let response = Response::builder().status(status);
            let body = Full::new(body).map_err(|never| match never {});
            return response.body(body.boxed_unsync()).map_err(io::Error::other);
        }
        Reply::Grpc(message) => (None, vec![Ok(framed(&message)), Ok(trailers(0))]),
        Reply::Status(code) => (None, vec![Ok(trailers(code))]),
        Reply::Bare(bytes) => (None, vec![Ok(Frame::data(bytes))]),
        Reply::Stream(answers, said) => (Some((answers, said, body)), Vec::new()),
    };
    let response = Response::builder().header("content-type", "application/grpc");
    let body = match kind {
        None => StreamBody::new(futures_util::stream::iter(body)).boxed_unsync(),
        Some((answers, said, body)) => {
            let frames = futures_util::stream::unfold(answers, |mut answers| async move {
                let frame = match answers.recv().await? {
                    Ok(message) => framed(&message),
                    Err(code) => trailers(code),
                };
                Some((Ok(frame), answers))
            });
            // What the client says is heard while there is something to answer it with.
            let heard =
                futures_util::stream::once(hear(body, said)).filter_map(|()| async { None });
            StreamBody::new(futures_util::stream::select(frames, heard)).boxed_unsync()
        }
    };
    response.body(body).map_err(io::Error::other)
}

/// Passes messages of a client on, until it has no more.
async fn hear(mut body: Incoming, said: mpsc::Sender<Bytes>) {
    let mut rest = BytesMut::new();
    while let Some(message) = message(&mut body, &mut rest).await {
        if said.send(message).await.is_err() {
            return;
        }
    }
}

/// The next message of a gRPC body.
async fn message(body: &mut Incoming, rest: &mut BytesMut) -> Option<Bytes> {
    loop {
        if rest.len() >= 5 {
            let length = u32::from_be_bytes([rest[1], rest[2], rest[3], rest[4]]) as usize;
            if rest.len() >= 5 + length {
                let mut message = rest.split_to(5 + length);
                return Some(message.split_off(5).freeze());
            }
        }
        let frame = body.frame().await?.ok()?;
        rest.extend_from_slice(&frame.into_data().ok()?);
    }
}

fn framed(message: &[u8]) -> Frame<Bytes> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    Frame::data([&[0], &length[..], message].concat().into())
}

fn trailers(code: u32) -> Frame<Bytes> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", code.into());
    trailers.insert("grpc-message", "scripted".parse().unwrap());
    Frame::trailers(trailers)
}

/// Reads up to the end of a request without caring what it says.
pub(crate) async fn read_request(stream: &mut TcpStream) {
    let mut seen = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let read = stream.read(&mut chunk).await.unwrap_or(0);
        seen.extend_from_slice(&chunk[..read]);
        // Requests of these tests have bodies that end so.
        if read == 0 || seen.ends_with(b"}") {
            return;
        }
    }
}

/// Writes as long as somebody reads; how much it was.
pub(crate) async fn write_all_that_goes(stream: &mut TcpStream, bytes: &[u8]) -> usize {
    let mut written = 0;
    while written < bytes.len() {
        match stream.write(&bytes[written..]).await {
            Ok(0) | Err(_) => break,
            Ok(more) => written += more,
        }
    }
    written
}
