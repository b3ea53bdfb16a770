//! The API over HTTP: `POST <prefix>/<method>` with JSON in and out.

pub(crate) mod body;
mod drain;
mod legacy;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on};
use bytes::Bytes;
use gyre_config::api::ErrorMode;
use gyre_mapping::BatchRequest;
use http::{HeaderValue, StatusCode, header};

use self::body::BodyError;
use crate::bearer::{self, Bearer};
use crate::error::Error;
use crate::methods::{Method, MethodId, Methods, batch, for_each_method, rows};
use crate::metrics::Protocol;
use crate::mode;

/// What every route needs.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    pub(crate) methods: Arc<Methods>,
    pub(crate) bearer: Option<Bearer>,
    pub(crate) mode: ErrorMode,
}

/// Room for a result at first. Unit: bytes. 128: holds the result of a publish.
const RESULT_BYTES: usize = 128;

/// The routes below the prefix.
pub(crate) fn router(http: &Http, prefix: &str) -> Router {
    let prefix = prefix.trim_matches('/');
    let prefix = if prefix.is_empty() {
        String::new()
    } else {
        format!("/{prefix}")
    };
    let mut router = Router::new()
        .route(&format!("{prefix}/batch"), post(http, Route::Batch))
        .route(&format!("{prefix}/drain"), post(http, Route::Drain))
        .route(
            if prefix.is_empty() { "/" } else { &prefix },
            post(http, Route::Legacy),
        );
    for method in MethodId::ALL {
        let path = format!("{prefix}/{}", method.name());
        router = router.route(&path, post(http, Route::Method(*method)));
    }
    router
}

/// What a path stands for.
#[derive(Clone, Copy, Debug)]
enum Route {
    Method(MethodId),
    Batch,
    Drain,
    Legacy,
}

impl Route {
    const fn name(self) -> &'static str {
        match self {
            Self::Method(method) => method.name(),
            Self::Batch => "batch",
            Self::Drain => "drain",
            Self::Legacy => "legacy",
        }
    }
}

fn post(http: &Http, route: Route) -> MethodRouter {
    let http = http.clone();
    let handler = move |request: Request| async move { http.serve(route, request).await };
    on(MethodFilter::POST, handler).fallback(|| async { method_not_allowed() })
}

impl Http {
    async fn serve(self, route: Route, request: Request) -> Response {
        let metrics = &self.methods.metrics;
        let (headers, query) = (request.headers(), request.uri().query());
        if !self
            .methods
            .live
            .load()
            .http_keys
            .admit_http(headers, query)
            && !bearer::admit(self.bearer.as_ref(), headers).await
        {
            let refusal = Error::Unauthorized;
            metrics.count_error(Protocol::Http, route.name(), refusal.label());
            tracing::debug!(method = route.name(), "a call without the key");
            return error(refusal.http_status(), &refusal, ErrorMode::Application);
        }
        let mode = mode::of_call(self.mode, request.headers());
        let body = match body::read(request.into_body()).await {
            Ok(body) => body,
            Err(unread) => {
                metrics.count_error(Protocol::Http, route.name(), "read_body");
                return match unread {
                    BodyError::TooLong => text(StatusCode::PAYLOAD_TOO_LARGE, "Payload Too Large"),
                    BodyError::Unreadable => text(StatusCode::BAD_REQUEST, "Bad Request"),
                };
            }
        };
        let answer = match route {
            Route::Method(method) => call_method(&self.methods, method, &body).await,
            Route::Batch => call_batch(&self.methods, &body).await,
            Route::Drain => drain::call(&self.methods, &body).await,
            Route::Legacy => legacy::call(&self.methods, &body).await,
        };
        match answer {
            Ok(Answer::Done(json)) => ok(json),
            Ok(Answer::Refused(error)) => refused(&error, mode),
            Err(Unparsed) => {
                metrics.count_error(Protocol::Http, route.name(), "unmarshal");
                text(StatusCode::BAD_REQUEST, "Bad Request")
            }
        }
    }
}

/// How a request that could be read ended.
#[derive(Debug)]
pub(crate) enum Answer {
    /// With this body.
    Done(Vec<u8>),
    /// With this error.
    Refused(Error),
}

/// The request is not the JSON form of what the method takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Unparsed;

macro_rules! define {
    ($($method:ident $name:ident $number:literal $state:ident:
        $request:ident $response:ident $result:ident;)*) => {
        /// Runs the method with a JSON request.
        pub(crate) async fn call_method(
            methods: &Methods,
            method: MethodId,
            body: &Bytes,
        ) -> Result<Answer, Unparsed> {
            match method {
                $(MethodId::$method => call::<rows::$method>(methods, body).await,)*
            }
        }
    };
}

for_each_method!(define);

// hot path: server publish 1/3
async fn call<M: Method>(methods: &Methods, body: &Bytes) -> Result<Answer, Unparsed> {
    let request = gyre_mapping::read(body).map_err(|_malformed| Unparsed)?;
    Ok(match methods.call::<M>(Protocol::Http, request).await {
        Err(error) => Answer::Refused(error),
        Ok(result) => {
            let mut json = Vec::with_capacity(RESULT_BYTES);
            json.extend_from_slice(b"{\"result\":");
            gyre_mapping::write(&result, &mut json);
            json.push(b'}');
            Answer::Done(json)
        }
    })
}

async fn call_batch(methods: &Methods, body: &Bytes) -> Result<Answer, Unparsed> {
    let batch: BatchRequest = gyre_mapping::read(body).map_err(|_malformed| Unparsed)?;
    let replies = batch::run(methods, Protocol::Http, batch.commands, batch.parallel).await;
    let mut json = Vec::new();
    gyre_mapping::write(&replies, &mut json);
    Ok(Answer::Done(json))
}

/// An error of a method.
fn refused(refusal: &Error, mode: ErrorMode) -> Response {
    match mode {
        ErrorMode::Application => error(StatusCode::OK, refusal, mode),
        ErrorMode::Transport => error(refusal.http_status(), refusal, mode),
    }
}

/// An error as a body: in the envelope, or bare in the error mode `transport`.
fn error(status: StatusCode, error: &Error, mode: ErrorMode) -> Response {
    let mut json = Vec::new();
    match mode {
        ErrorMode::Application => {
            json.extend_from_slice(b"{\"error\":");
            gyre_mapping::write(&error.to_message(), &mut json);
            json.push(b'}');
        }
        ErrorMode::Transport => gyre_mapping::write(&error.to_message(), &mut json),
    }
    respond(status, "application/json", json.into())
}

fn method_not_allowed() -> Response {
    let body = Error::BadRequest;
    let mut response = error(
        StatusCode::METHOD_NOT_ALLOWED,
        &body,
        ErrorMode::Application,
    );
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static("POST"));
    response
}

fn ok(json: Vec<u8>) -> Response {
    respond(StatusCode::OK, "application/json", json.into())
}

fn text(status: StatusCode, text: &'static str) -> Response {
    respond(
        status,
        "text/plain; charset=utf-8",
        Bytes::from_static(text.as_bytes()),
    )
}

fn respond(status: StatusCode, content_type: &'static str, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static(content_type);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}
