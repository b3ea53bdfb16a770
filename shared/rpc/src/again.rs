use std::future::Future;
use std::time::Duration;

use tonic::{Code, Response, Status};

/// Tries of a call. Four: a connection that broke is made anew, and a process that restarts is given
/// a moment.
const TRIES_MAX: u32 = 4;

/// Pause before the second try; doubled for each one after it. 50 ms: four tries fit into half a
/// second, and nobody is hammered.
const PAUSE: Duration = Duration::from_millis(50);

/// Calls until an answer comes, and again where a call did not reach the other side or its answer did
/// not come back. The call must be one that may be done twice.
///
/// # Errors
///
/// The status of the last try; `DEADLINE_EXCEEDED` after `longest`, pauses included.
///
/// # Cancel safety
///
/// A dropped future leaves the outcome of its call unknown.
pub async fn repeated<T, F>(longest: Duration, call: impl Fn() -> F) -> Result<T, Status>
where
    F: Future<Output = Result<Response<T>, Status>>,
{
    let tries = async {
        let mut tries = 0;
        loop {
            match call().await {
                Ok(response) => return Ok(response.into_inner()),
                Err(status) if status.code() == Code::Unavailable && tries + 1 < TRIES_MAX => {
                    tokio::time::sleep(PAUSE * 2_u32.pow(tries)).await;
                    tries += 1;
                }
                Err(status) => return Err(status),
            }
        }
    };
    let elapsed = |_| Err(Status::deadline_exceeded("no answer in time"));
    tokio::time::timeout(longest, tries)
        .await
        .unwrap_or_else(elapsed)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::pending;

    use tokio::time::Instant;

    use super::*;

    const LONGEST: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn what_did_not_arrive_is_tried_again() {
        let tries = Cell::new(0);
        let answer = repeated(LONGEST, || {
            tries.set(tries.get() + 1);
            let is_third = tries.get() == 3;
            async move {
                match is_third {
                    true => Ok(Response::new(7)),
                    false => Err(Status::unavailable("broken")),
                }
            }
        });
        assert_eq!(answer.await.unwrap(), 7);
        assert_eq!(tries.get(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_tried_so_often_and_no_more() {
        let (tries, started) = (Cell::new(0), Instant::now());
        let answer: Result<(), Status> = repeated(LONGEST, || {
            tries.set(tries.get() + 1);
            async { Err(Status::unavailable("broken")) }
        })
        .await;
        assert_eq!(answer.unwrap_err().code(), Code::Unavailable);
        assert_eq!(tries.get(), TRIES_MAX);
        assert_eq!(started.elapsed(), Duration::from_millis(350));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_stands() {
        let tries = Cell::new(0);
        let answer: Result<(), Status> = repeated(LONGEST, || {
            tries.set(tries.get() + 1);
            async { Err(Status::invalid_argument("no")) }
        })
        .await;
        assert_eq!(answer.unwrap_err().code(), Code::InvalidArgument);
        assert_eq!(tries.get(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_an_end_to_waiting() {
        let started = Instant::now();
        let answer: Result<(), Status> = repeated(LONGEST, pending).await;
        assert_eq!(answer.unwrap_err().code(), Code::DeadlineExceeded);
        assert_eq!(started.elapsed(), LONGEST);
    }
}
