//! Which headers go to a backend.

use std::str::FromStr as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gyre_config::{Pairs, Proxy as Options};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;

use crate::context::{ClientContext, names, select};

/// What a proxy passes on, and what it always sends.
#[derive(Debug)]
pub(crate) struct Headers {
    fixed: HeaderMap,
    emulated: Vec<HeaderName>,
    headers: Vec<HeaderName>,
    metadata: Vec<HeaderName>,
}

/// A header that cannot be one.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no header, or its value cannot be one's")]
pub(crate) struct BadHeader(String);

impl Headers {
    /// What a backend over HTTP gets; `login` is the name and password that its address holds.
    pub(crate) fn http(options: &Options, login: Option<&str>) -> Result<Self, BadHeader> {
        let mut sent = fixed(&options.http.static_headers)?;
        if let Some(login) = login
            && !sent.contains_key(AUTHORIZATION)
        {
            let login: Vec<u8> = percent_decode_str(login).collect();
            let (name, value) = header(
                "authorization",
                &format!("Basic {}", STANDARD.encode(login)),
            )?;
            sent.insert(name, value);
        }
        Ok(Self::new(options, sent))
    }

    /// What a backend over gRPC gets.
    pub(crate) fn grpc(options: &Options) -> Result<Self, BadHeader> {
        let mut sent = fixed(&options.grpc.static_metadata)?;
        let (name, value) = (
            &options.grpc.credentials_key,
            options.grpc.credentials_value.expose(),
        );
        if !name.is_empty() {
            let (name, value) = header(name, value)?;
            sent.insert(name, value);
        }
        Ok(Self::new(options, sent))
    }

    fn new(options: &Options, fixed: HeaderMap) -> Self {
        Self {
            fixed,
            emulated: names(&options.emulated_headers).collect(),
            headers: names(&options.http_headers).collect(),
            metadata: names(&options.grpc_metadata).collect(),
        }
    }

    /// The headers of one call: those of the transport over those of the client's own over the fixed
    /// over those of the trace that it belongs to.
    pub(crate) fn of(&self, client: &ClientContext, trace: HeaderMap) -> HeaderMap {
        let mut all = trace;
        replace(&mut all, self.fixed.clone());
        replace(&mut all, select(&self.emulated, &client.emulated_headers));
        if client.headers.is_empty() {
            replace(&mut all, select(&self.metadata, &client.metadata));
        } else {
            replace(&mut all, select(&self.headers, &client.headers));
        }
        all
    }
}

fn fixed(pairs: &Pairs) -> Result<HeaderMap, BadHeader> {
    let mut fixed = HeaderMap::new();
    for (name, value) in pairs.iter() {
        let (name, value) = header(name, value)?;
        fixed.append(name, value);
    }
    Ok(fixed)
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), BadHeader> {
    let bad = || BadHeader(name.to_owned());
    let mut value = HeaderValue::from_str(value).map_err(|_| bad())?;
    value.set_sensitive(true);
    Ok((HeaderName::from_str(name).map_err(|_| bad())?, value))
}

/// Puts all values of each header in place of those that were there.
fn replace(all: &mut HeaderMap, more: HeaderMap) {
    let mut last = None;
    for (name, value) in more {
        match (name, &last) {
            (Some(name), _) => {
                all.insert(name.clone(), value);
                last = Some(name);
            }
            (None, Some(name)) => {
                all.append(name.clone(), value);
            }
            (None, None) => {}
        }
    }
}
