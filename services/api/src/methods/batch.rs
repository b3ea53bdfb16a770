use futures_util::{StreamExt as _, stream};
use gyre_proto::api::{BatchResponse, Command, Reply};

use super::{Method, Methods, for_each_method, rows};
use crate::error::Error;
use crate::metrics::Protocol;

/// Commands of a parallel batch that run at once. 1024, as in the reference.
const COMMANDS_AT_ONCE: usize = 1024;

/// Runs the commands of a batch; their replies are in their order. `None` is a command that is
/// `null` in JSON.
pub(crate) async fn run(
    methods: &Methods,
    protocol: Protocol,
    commands: Vec<Option<Command>>,
    parallel: bool,
) -> BatchResponse {
    let at_once = if parallel { COMMANDS_AT_ONCE } else { 1 };
    let replies = stream::iter(commands)
        .map(|command| methods.answer(protocol, command))
        .buffered(at_once)
        .collect()
        .await;
    BatchResponse { replies }
}

macro_rules! define {
    ($($method:ident $name:ident $number:literal $state:ident:
        $request:ident $response:ident $result:ident;)*) => {
        impl Methods {
            async fn answer(&self, protocol: Protocol, command: Option<Command>) -> Reply {
                let Some(command) = command else {
                    return refused(&Error::BadRequest);
                };
                $(if let Some(request) = command.$name {
                    return self.answer_with::<rows::$method>(protocol, *request).await;
                })*
                refused(&Error::NotFound)
            }
        }
    };
}

for_each_method!(define);

impl Methods {
    async fn answer_with<M: Method>(&self, protocol: Protocol, request: M::Request) -> Reply {
        match self.call::<M>(protocol, request).await {
            Ok(result) => M::reply(result),
            Err(error) => refused(&error),
        }
    }
}

fn refused(error: &Error) -> Reply {
    Reply {
        error: Some(Box::new(error.to_message())),
        ..Reply::default()
    }
}
