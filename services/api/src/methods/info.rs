use gyre_proto::api::{InfoRequest, InfoResult};

use super::Methods;
use crate::error::Error;

pub(super) async fn run(methods: &Methods, _request: InfoRequest) -> Result<InfoResult, Error> {
    methods.gateways.info().await
}
