//! One call of a backend: its deadline, its attempts, what is recorded of it.

use std::future::Future;

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use crate::answer::Answer;
use crate::context::ClientContext;
use crate::error::CallError;
use crate::exchange::{Exchange, answer};
use crate::proxy::{Proxy, Wire};
use crate::wire::http::Posted;

impl Proxy {
    /// Asks the backend, within the deadline.
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
        let headers = self.headers.of(client);
        let deadline = Instant::now() + self.timeout;
        let endpoint = self.endpoint();
        tracing::trace!(event = %E::EVENT, proxy = self.name(), "call");
        match &self.wire {
            Wire::Http(http) => {
                let mut body = Vec::new();
                gyre_mapping::write(&request, &mut body);
                let posted = http.post(endpoint, headers, body.into());
                read::<E>(within(deadline, posted).await?)
            }
            Wire::Grpc(grpc) => {
                let asked = grpc.unary::<E, E::Response>(endpoint, E::PATH, headers, request);
                answer::<E>(within(deadline, asked).await?)
            }
        }
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
    gyre_mapping::read(body).map_err(|error| CallError::Malformed(std::sync::Arc::new(error)))
}

/// What `attempt` comes to, if it does in time.
pub(crate) async fn within<T>(
    deadline: Instant,
    attempt: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    timeout_at(deadline, attempt)
        .await
        .unwrap_or(Err(CallError::Timeout))
}
