use gyre_proto::api::{Disconnect, DisconnectRequest, DisconnectResult};
use gyre_proto::gateway::{self, Selector};
use gyre_protocol::codes;
use gyre_types::limits::REASON_BYTES_MAX;

use super::{Methods, selector};
use crate::error::Error;

pub(super) async fn run(
    methods: &Methods,
    request: DisconnectRequest,
) -> Result<DisconnectResult, Error> {
    let Disconnect { code, reason } = match request.disconnect {
        Some(asked) => checked(asked)?,
        None => Disconnect {
            code: codes::Disconnect::FORCE_DISCONNECT.code,
            reason: codes::Disconnect::FORCE_DISCONNECT.reason.into_owned(),
        },
    };
    let command = gateway::DisconnectRequest {
        selector: Some(selector::checked(Selector {
            user: request.user,
            all_users: request.all_users,
            client: request.client,
            session: request.session,
            label_filter: request.label_filter,
            whitelist: request.whitelist,
        })?),
        code,
        reason,
        ..gateway::DisconnectRequest::default()
    };
    methods.gateways.disconnect(command).await?;
    Ok(DisconnectResult {})
}

/// A code and a reason that a close frame can carry and clients understand.
fn checked(asked: Disconnect) -> Result<Disconnect, Error> {
    if !(3000..=4999).contains(&asked.code) || asked.reason.len() > REASON_BYTES_MAX {
        return Err(Error::BadRequest);
    }
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_sent_is_refused() {
        let table = [
            (2999, 0, false),
            (3000, 123, true),
            (4999, 0, true),
            (5000, 0, false),
        ];
        for (code, len, is_fine) in table {
            let asked = Disconnect {
                code,
                reason: "x".repeat(len),
            };
            assert_eq!(checked(asked).is_ok(), is_fine, "{code} {len}");
        }
        assert!(
            checked(Disconnect {
                code: 4000,
                reason: "x".repeat(124)
            })
            .is_err()
        );
    }
}
