//! Where payloads stand: requests in the field that the options want, results in the plain one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use gyre_proto::proxy as pb;

use crate::error::CallError;

/// What a proxy's options say about requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    /// Option `binary_encoding`.
    pub(crate) is_binary: bool,
    /// Option `include_connection_meta`.
    pub(crate) has_meta: bool,
}

/// A request of a client's.
pub(crate) trait Request {
    /// Puts the payload where the options want it, and drops what they do not want.
    fn form(&mut self, form: Form);
}

/// A result with payloads.
pub(crate) trait Plain {
    /// Puts payloads that came as base64 into the plain fields.
    ///
    /// # Errors
    ///
    /// [`CallError::Base64`].
    fn plain(&mut self) -> Result<(), CallError>;
}

macro_rules! requests {
    ($($request:ident $(($encoding:ident))?: $($data:ident)? $(, $meta:ident)?;)*) => {$(
        impl Request for pb::$request {
            fn form(&mut self, _form: Form) {
                $(let encoding = if _form.is_binary { "binary" } else { "json" };
                encoding.clone_into(&mut self.$encoding);)?
                $(if _form.is_binary {
                    self.b64data = STANDARD.encode(&std::mem::take(&mut self.$data));
                })?
                $(if !_form.has_meta {
                    self.$meta = Bytes::new();
                })?
            }
        }
    )*};
}

requests! {
    ConnectRequest (encoding): data;
    RefreshRequest (encoding): , meta;
    SubscribeRequest (encoding): data, meta;
    PublishRequest (encoding): data, meta;
    RpcRequest (encoding): data, meta;
    SubRefreshRequest (encoding): , meta;
    MapPublishRequest (encoding): data, meta;
    MapRemoveRequest (encoding): , meta;
    SharedPollRefreshRequest:;
    NotifyCacheEmptyRequest:;
    NotifyChannelStateRequest:;
}

macro_rules! results {
    ($($result:ident: $($plain:ident $encoded:ident $name:literal $(or $keep:ident)?),*;)*) => {$(
        impl Plain for pb::$result {
            fn plain(&mut self) -> Result<(), CallError> {
                $(decode(&mut self.$plain, &mut self.$encoded, $name, wins!($($keep)?))?;)*
                Ok(())
            }
        }
    )*};
}

/// Which of two forms counts if both are given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wins {
    Encoded,
    Plain,
}

macro_rules! wins {
    () => {
        Wins::Encoded
    };
    (plain) => {
        Wins::Plain
    };
}

results! {
    SubscribeOptions: info b64info "b64info", data b64data "b64data";
    RefreshResult: info b64info "b64info";
    SubscribeResult: info b64info "b64info", data b64data "b64data";
    PublishResult: data b64data "b64data" or plain;
    RpcResult: data b64data "b64data";
    SubRefreshResult: info b64info "b64info";
    MapPublishResult:
        data b64data "b64data" or plain,
        stream_data b64stream_data "b64stream_data" or plain;
    MapRemoveResult:;
    SharedPollRefreshResult:;
    NotifyCacheEmptyResult:;
    NotifyChannelStateResult:;
}

impl Plain for pb::ConnectResult {
    fn plain(&mut self) -> Result<(), CallError> {
        let encoded = Wins::Encoded;
        decode(&mut self.info, &mut self.b64info, "b64info", encoded)?;
        decode(&mut self.data, &mut self.b64data, "b64data", encoded)?;
        self.subs.values_mut().try_for_each(Plain::plain)
    }
}

fn decode(
    plain: &mut Bytes,
    encoded: &mut String,
    name: &'static str,
    wins: Wins,
) -> Result<(), CallError> {
    let text = std::mem::take(encoded);
    if text.is_empty() || (wins == Wins::Plain && !plain.is_empty()) {
        return Ok(());
    }
    let bytes = STANDARD.decode(text);
    *plain = bytes.map_err(|_| CallError::Base64(name))?.into();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_stand_where_the_options_want_them() {
        let request = pb::RpcRequest {
            data: Bytes::from_static(b"\x00a"),
            meta: Bytes::from_static(b"{}"),
            ..pb::RpcRequest::default()
        };
        let mut binary = request.clone();
        binary.form(Form {
            is_binary: true,
            has_meta: true,
        });
        assert_eq!(
            (binary.data.as_ref(), binary.b64data.as_str()),
            (&b""[..], "AGE=")
        );
        assert_eq!(binary.meta, "{}");
        let mut plain = request;
        plain.form(Form {
            is_binary: false,
            has_meta: false,
        });
        assert_eq!(
            (plain.data.as_ref(), plain.b64data.as_str()),
            (&b"\x00a"[..], "")
        );
        assert_eq!(plain.meta, "");
    }

    #[test]
    fn base64_wins_but_in_results_of_publish_events() {
        let both = || (Bytes::from_static(b"plain"), "AGE=".to_owned());
        let (data, b64data) = both();
        let mut rpc = pb::RpcResult { data, b64data };
        rpc.plain().unwrap();
        assert_eq!(
            (rpc.data.as_ref(), rpc.b64data.as_str()),
            (&b"\x00a"[..], "")
        );
        let (data, b64data) = both();
        let mut publish = pb::PublishResult {
            data,
            b64data,
            ..pb::PublishResult::default()
        };
        publish.plain().unwrap();
        assert_eq!(publish.data, "plain");
    }

    #[test]
    fn what_is_no_base64_is_named_wherever_it_stands() {
        let options = pb::SubscribeOptions {
            b64info: "%".to_owned(),
            ..pb::SubscribeOptions::default()
        };
        let mut result = pb::ConnectResult {
            subs: [("news".to_owned(), options)].into(),
            ..pb::ConnectResult::default()
        };
        let error = result.plain().unwrap_err();
        assert!(matches!(error, CallError::Base64("b64info")), "{error:?}");
    }
}
