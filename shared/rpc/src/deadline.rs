use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Request, Response};
use tonic::Status;
use tonic::body::Body;
use tower::Service;
use tower::util::BoxCloneSyncService;

use crate::{Link, LinkError};

const TIMEOUT_HEADER: &str = "grpc-timeout";

/// The link with a deadline for each call: `longest`, or less if the caller asks for less.
///
/// The called service learns it from the header `grpc-timeout`. After it the call is dropped and
/// answers with the code `DEADLINE_EXCEEDED`.
#[must_use]
pub fn with_deadline(link: Link, longest: Duration) -> Link {
    BoxCloneSyncService::new(Deadline { link, longest })
}

#[derive(Clone)]
struct Deadline {
    link: Link,
    longest: Duration,
}

impl Service<Request<Body>> for Deadline {
    type Response = Response<Body>;
    type Error = LinkError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.link.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let deadline = match time_allowed(request.headers()) {
            Some(asked) if asked <= self.longest => asked,
            _ => {
                request
                    .headers_mut()
                    .insert(TIMEOUT_HEADER, header(self.longest));
                self.longest
            }
        };
        let call = tokio::time::timeout(deadline, self.link.call(request));
        Box::pin(async move { call.await.unwrap_or_else(|_elapsed| Err(elapsed())) })
    }
}

fn elapsed() -> LinkError {
    LinkError(Status::deadline_exceeded("no answer in time").into())
}

/// How long the caller of a gRPC call waits, by its header `grpc-timeout`; anything that is not a
/// time there counts as none.
#[must_use]
pub fn time_allowed(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(TIMEOUT_HEADER)?.to_str().ok()?;
    let (amount, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let amount: u64 = amount.parse().ok()?;
    match unit {
        "n" => Some(Duration::from_nanos(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "S" => Some(Duration::from_secs(amount)),
        "M" => amount.checked_mul(60).map(Duration::from_secs),
        "H" => amount.checked_mul(3600).map(Duration::from_secs),
        _ => None,
    }
}

/// At most eight digits are allowed, which milliseconds keep up to a day.
fn header(deadline: Duration) -> HeaderValue {
    const MILLIS_MAX: u64 = 99_999_999;
    let millis = u64::try_from(deadline.as_millis()).map_or(MILLIS_MAX, |n| n.min(MILLIS_MAX));
    HeaderValue::try_from(format!("{millis}m")).unwrap_or(HeaderValue::from_static("99999999m"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &'static str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(TIMEOUT_HEADER, HeaderValue::from_static(text));
        time_allowed(&headers)
    }

    #[test]
    fn reads_what_it_writes() {
        for millis in [0, 1, 1500, 99_999_999] {
            let mut headers = HeaderMap::new();
            headers.insert(TIMEOUT_HEADER, header(Duration::from_millis(millis)));
            assert_eq!(time_allowed(&headers), Some(Duration::from_millis(millis)));
        }
        assert_eq!(header(Duration::MAX), "99999999m");
    }

    #[test]
    fn knows_every_unit_and_nothing_else() {
        assert_eq!(parsed("5S"), Some(Duration::from_secs(5)));
        assert_eq!(parsed("2M"), Some(Duration::from_secs(120)));
        assert_eq!(parsed("1H"), Some(Duration::from_secs(3600)));
        assert_eq!(parsed("7u"), Some(Duration::from_micros(7)));
        assert_eq!(parsed("7n"), Some(Duration::from_nanos(7)));
        for broken in ["", "5", "S", "-5S", "5s", "99999999999999999999S"] {
            assert_eq!(parsed(broken), None, "{broken}");
        }
    }
}
