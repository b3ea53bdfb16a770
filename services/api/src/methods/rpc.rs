use std::future::{Ready, ready};

use gyre_proto::api::{RpcRequest, RpcResult};

use super::Methods;
use crate::error::Error;

/// There are no extensions: whatever is asked for is not found.
pub(super) fn run(_methods: &Methods, request: RpcRequest) -> Ready<Result<RpcResult, Error>> {
    let RpcRequest { method, params: _ } = request;
    ready(Err(match method.is_empty() {
        true => Error::BadRequest,
        false => Error::NotFound,
    }))
}
