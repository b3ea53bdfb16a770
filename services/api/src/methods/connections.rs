use std::collections::BTreeMap;

use gyre_expression::Expression;
use gyre_proto::api::{ConnectionsRequest, ConnectionsResult};
use gyre_proto::gateway;

use super::pages::{self, Wanted};
use super::{Methods, selector};
use crate::error::Error;

/// Most connections of a page. 1000, as a gateway's.
const PAGE_MAX: u32 = 1_000;

pub(super) async fn run(
    methods: &Methods,
    request: ConnectionsRequest,
) -> Result<ConnectionsResult, Error> {
    if request.user.is_empty() && request.expression.is_empty() && request.label_filter.is_none() {
        return Err(Error::BadRequest);
    }
    let wanted = Wanted::of(request.limit, PAGE_MAX)?;
    selector::check_filter(request.label_filter.as_ref())?;
    if !request.expression.is_empty()
        && let Err(error) = Expression::compile(&request.expression)
    {
        return Err(Error::BadExpression(error.to_string()));
    }
    let limit = wanted.at_once(PAGE_MAX);
    let mut result = ConnectionsResult {
        connections: BTreeMap::new(),
        next_cursor: request.cursor,
    };
    loop {
        let asked = gateway::ConnectionsRequest {
            user: request.user.clone(),
            label_filter: request.label_filter.clone(),
            expression: request.expression.clone(),
            after: result.next_cursor,
            limit,
        };
        let pages = methods.gateways.connections(asked).await?;
        let mut ends = Vec::with_capacity(pages.len());
        let mut page = BTreeMap::new();
        for of_gateway in pages {
            ends.push(of_gateway.next);
            let connections = of_gateway.connections.into_iter();
            page.extend(connections.map(|one| (one.client, one.info.unwrap_or_default())));
        }
        result.next_cursor = pages::cut(&mut page, ends.into_iter(), limit);
        result.connections.append(&mut page);
        if wanted != Wanted::All || result.next_cursor.is_empty() {
            return Ok(result);
        }
    }
}
