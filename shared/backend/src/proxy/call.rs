//! One call of a backend, as whichever protocol carries it.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Uri};

use crate::context::ClientContext;
use crate::error::CallError;
use crate::messages::answer::Answer;
use crate::messages::exchange::{Exchange, answer};
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

#[cfg(test)]
mod tests {
    use gyre_proto::proxy as pb;
    use proptest::prelude::*;
    use prost::Message as _;

    use super::*;

    /// Reads what a backend may have meant for each event.
    fn read_all(body: &Bytes) {
        fn one<E: Exchange>(body: &Bytes) {
            let _ = read::<E>(Posted::Body(body.clone()));
            if let Ok(response) = <E::Response>::decode(body.clone()) {
                let _ = answer::<E>(response);
            }
        }
        one::<pb::ConnectRequest>(body);
        one::<pb::RefreshRequest>(body);
        one::<pb::SubscribeRequest>(body);
        one::<pb::PublishRequest>(body);
        one::<pb::RpcRequest>(body);
        one::<pb::SubRefreshRequest>(body);
        one::<pb::MapPublishRequest>(body);
        one::<pb::MapRemoveRequest>(body);
        one::<pb::SharedPollRefreshRequest>(body);
        one::<pb::NotifyCacheEmptyRequest>(body);
        one::<pb::NotifyChannelStateRequest>(body);
    }

    /// Text that is nearly an answer: names of fields, and values of many types.
    fn nearly() -> impl Strategy<Value = String> {
        let word = prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "null",
            "true",
            "-1",
            "1e99",
            "\\ud800",
            " ",
            "\"result\":",
            "\"error\":",
            "\"disconnect\":",
            "\"code\":",
            "\"subs\":",
            "\"override\":",
            "\"b64data\":",
            "\"b64info\":",
            "\"data\":",
            "\"info\":",
            "\"caps\":",
            "\"labels\":",
            "\"AAE=\"",
            "\"%%\"",
            "{\"x\":",
            "{\"result\":{",
            "}}",
            "9223372036854775808",
        ]);
        prop::collection::vec(word, 0..40).prop_map(|words| words.concat())
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_answer_or_an_error(bytes: Vec<u8>) {
            read_all(&bytes.into());
        }

        #[test]
        fn what_is_nearly_an_answer_is_one_or_an_error(text in nearly()) {
            read_all(&text.into());
        }

        #[test]
        fn a_body_that_was_cut_or_changed_is_an_answer_or_an_error(
            end in 0..200_usize,
            place in 0..200_usize,
            byte: u8,
        ) {
            let whole = br#"{"result":{"user":"7","info":{"a":1},"b64data":"AAE=","subs":{"y":{
                "b64info":"AA==","override":{"presence":{"value":true}}}},"caps":[{"match":"x"}]}}"#;
            let mut bytes = whole.to_vec();
            bytes.truncate(end);
            if let Some(place) = bytes.get_mut(place) {
                *place = byte;
            }
            read_all(&bytes.into());
        }
    }
}
