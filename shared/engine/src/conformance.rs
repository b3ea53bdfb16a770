//! The specification of the traits as a suite that every engine must pass.
//!
//! An engine's tests implement [`Subject`] and run [`broker`], [`presence`] and [`registry`] on
//! whatever executor they have. Each case is a function with a name, gets an engine with nothing in
//! it, and stands for a sentence of the traits' comments. Nothing here sleeps: what must arrive is
//! waited for, what must not arrive is looked for in front of something sent after it, and time
//! passes through [`Subject::advance`].

mod bench;
mod gateways;
mod history;
mod lifetime;
mod members;
mod publishing;
mod recorder;
mod suppression;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::{BoxFuture, Engine, Features};

use bench::Bench;
pub use recorder::Recorder;

/// The engine under test, and what the suite cannot do itself.
pub trait Subject: Sync {
    /// Opens an engine with nothing in it that hands over to `inlet`.
    fn open(&self, inlet: Arc<Recorder>) -> BoxFuture<'_, Engine>;

    /// Lets time pass for the engine that was opened last: an engine with a virtual clock moves it,
    /// any other waits.
    fn advance(&self, time: Duration) -> BoxFuture<'_, ()>;

    /// Runs `task` at the same time as its caller, on another thread where there is one. The future
    /// ends with the task.
    fn spawn(&self, task: BoxFuture<'static, ()>) -> BoxFuture<'static, ()>;

    /// Ends when it is no use to wait any longer for what should have arrived: at once where
    /// delivery is part of the call, after seconds where it is not.
    fn patience(&self) -> BoxFuture<'_, ()>;
}

/// What did not hold, case by case.
pub struct Failures(Vec<(&'static str, Failure)>);

impl Failures {
    /// Names of the cases that failed, in the order of the suite.
    pub fn cases(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|(name, _)| *name)
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|(name, failure)| writeln!(f, "{name}: {failure}"))
    }
}

/// As [`Display`](fmt::Display): it is what a test that returns it prints.
impl fmt::Debug for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{self}")
    }
}

impl std::error::Error for Failures {}

/// Runs every case of [`Broker`](crate::Broker); those about history only on an engine that has it.
///
/// # Errors
///
/// [`Failures`] with every case that failed.
///
/// # Cancel safety
///
/// Cancel safe; the engines opened are dropped.
pub async fn broker(subject: &dyn Subject) -> Result<(), Failures> {
    let suites = [
        publishing::CASES,
        suppression::CASES,
        history::CASES,
        lifetime::CASES,
    ];
    run(subject, suites.concat()).await
}

/// Runs every case of [`Presence`](crate::Presence).
///
/// # Errors
///
/// [`Failures`] with every case that failed.
///
/// # Cancel safety
///
/// Cancel safe; the engines opened are dropped.
pub async fn presence(subject: &dyn Subject) -> Result<(), Failures> {
    run(subject, members::CASES.to_vec()).await
}

/// Runs every case of [`Registry`](crate::Registry).
///
/// # Errors
///
/// [`Failures`] with every case that failed.
///
/// # Cancel safety
///
/// Cancel safe; the engines opened are dropped.
pub async fn registry(subject: &dyn Subject) -> Result<(), Failures> {
    run(subject, gateways::CASES.to_vec()).await
}

async fn run(subject: &dyn Subject, cases: Vec<Case>) -> Result<(), Failures> {
    let mut failures = Vec::new();
    for case in cases {
        let bench = Bench::open(subject).await;
        if !case.needs.are_met_by(bench.engine.broker.features()) {
            continue;
        }
        let checked = (case.run)(&bench).await;
        if let Err(failure) = checked.and_then(|()| bench.recorder.check()) {
            failures.push((case.name, failure));
        }
    }
    if failures.is_empty() {
        Ok(())
    } else {
        Err(Failures(failures))
    }
}

/// One sentence of the specification.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    needs: Needs,
    run: for<'a> fn(&'a Bench<'a>) -> BoxFuture<'a, Check>,
}

/// What an engine must have for a case to make sense.
#[derive(Clone, Copy)]
enum Needs {
    Nothing,
    History,
}

impl Needs {
    const fn are_met_by(self, features: Features) -> bool {
        match self {
            Self::Nothing => true,
            Self::History => features.history,
        }
    }
}

/// Whether a case holds.
type Check = Result<(), Failure>;

/// Why a case does not hold: what was expected, and what was seen.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{what}: expected {expected}, got {actual}")]
    Differs {
        what: String,
        expected: String,
        actual: String,
    },
    #[error("waited in vain for {wanted} arrivals in {channel}, got {arrived}")]
    NotArrived {
        channel: String,
        wanted: usize,
        arrived: String,
    },
    #[error("an operation failed: {0}")]
    Engine(#[from] crate::Error),
    #[error("the inlet was called for {0} while it was busy with it")]
    Overlap(String),
}

/// Makes the table of a file's cases out of their functions.
macro_rules! cases {
    ($($needs:ident $name:ident),* $(,)?) => {
        pub(super) const CASES: &[super::Case] = &[$(super::Case {
            name: stringify!($name),
            needs: super::Needs::$needs,
            run: |bench| Box::pin($name(bench)),
        }),*];
    };
}
use cases;
