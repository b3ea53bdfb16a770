//! One call of a backend, as whichever protocol carries it.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Uri};

use crate::answer::Answer;
use crate::context::ClientContext;
use crate::error::CallError;
use crate::exchange::{Exchange, answer};
use crate::proxy::{Proxy, Wire};
use crate::wire::grpc::Grpc;
use crate::wire::http::{Http, Posted};

impl Proxy {
    /// Asks the backend.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the backend may have got the request.
    pub(crate) async fn ask<E: Exchange>(
        &self,
        mut request: E,
        client: &ClientContext,
    ) -> Result<Answer<E::Result>, CallError> {
        request.form(self.form);
        let call = |trace| async move {
            let headers = self.headers.of(client, trace);
            match &self.wire {
                // Boxed, so that a call is as large as one protocol needs.
                Wire::Http(http) => Box::pin(self.post(http, headers, &request)).await,
                Wire::Grpc(grpc) => Box::pin(self.unary(grpc, &headers, &request)).await,
            }
        };
        let outcome = self.observer.around(E::EVENT, client, call).await;
        self.observer.open(self.guard.is_open());
        outcome
    }

    async fn post<E: Exchange>(
        &self,
        http: &Http,
        mut headers: HeaderMap,
        request: &E,
    ) -> Result<Answer<E::Result>, CallError> {
        let mut body = Vec::new();
        gyre_mapping::write(request, &mut body);
        let body = Bytes::from(body);
        if let Some(signer) = &self.signer {
            let now = self.clock.now().unix.seconds();
            signer.sign(E::EVENT, now, &body, &mut headers);
        }
        let headers = &headers;
        let attempt = |endpoint| {
            let body = body.clone();
            async move { read::<E>(http.post(endpoint, headers.clone(), body).await?) }
        };
        self.guard.run(E::EVENT, attempt).await
    }

    async fn unary<E: Exchange>(
        &self,
        grpc: &Grpc,
        headers: &HeaderMap,
        request: &E,
    ) -> Result<Answer<E::Result>, CallError> {
        let attempt = |endpoint: &Uri| {
            let (endpoint, request) = (endpoint.clone(), request.clone());
            async move {
                let response =
                    grpc.unary::<E, E::Response>(&endpoint, E::PATH, headers.clone(), request);
                answer::<E>(response.await?)
            }
        };
        self.guard.run(E::EVENT, attempt).await
    }
}

/// What a body, or a status with a transform, stands for.
fn read<E: Exchange>(posted: Posted) -> Result<Answer<E::Result>, CallError> {
    match posted {
        Posted::Body(body) => answer::<E>(parse::<E>(&body)?),
        Posted::Error(error) => Ok(Answer::Error(error)),
        Posted::Disconnect(disconnect) => Ok(Answer::Disconnect(disconnect)),
    }
}

fn parse<E: Exchange>(body: &Bytes) -> Result<E::Response, CallError> {
    gyre_mapping::read(body).map_err(|error| CallError::Malformed(Arc::new(error)))
}
