use std::collections::BTreeMap;

use gyre_proto::api::{ChannelInfo, ChannelsRequest, ChannelsResult};
use gyre_proto::gateway;

use super::Methods;
use super::pages::{self, Wanted};
use crate::error::Error;

/// Most channels of a page. 10 000, as a gateway's.
const PAGE_MAX: u32 = 10_000;

pub(super) async fn run(
    methods: &Methods,
    request: ChannelsRequest,
) -> Result<ChannelsResult, Error> {
    let wanted = Wanted::of(request.limit, PAGE_MAX)?;
    let limit = wanted.at_once(PAGE_MAX);
    let mut result = ChannelsResult {
        channels: BTreeMap::new(),
        next_cursor: request.cursor,
    };
    loop {
        let asked = gateway::ChannelsRequest {
            pattern: request.pattern.clone(),
            after: result.next_cursor,
            limit,
        };
        let pages = methods.gateways.channels(asked).await?;
        let (mut page, next) = join(pages, limit);
        result.channels.append(&mut page);
        result.next_cursor = next;
        if wanted != Wanted::All || result.next_cursor.is_empty() {
            return Ok(result);
        }
    }
}

/// A channel's subscribers are those of all gateways.
fn join(
    pages: Vec<gateway::ChannelsResponse>,
    limit: u32,
) -> (BTreeMap<String, ChannelInfo>, String) {
    let mut channels: BTreeMap<String, ChannelInfo> = BTreeMap::new();
    let mut ends = Vec::with_capacity(pages.len());
    for page in pages {
        ends.push(page.next);
        for channel in page.channels {
            let info = channels.entry(channel.name).or_default();
            info.num_clients = info.num_clients.saturating_add(channel.num_clients);
        }
    }
    let next = pages::cut(&mut channels, ends.into_iter(), limit);
    (channels, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(names: &[(&str, u32)], next: &str) -> gateway::ChannelsResponse {
        let channel = |(name, num_clients): &(&str, u32)| gateway::Channel {
            name: (*name).to_owned(),
            num_clients: *num_clients,
        };
        gateway::ChannelsResponse {
            channels: names.iter().map(channel).collect(),
            next: next.to_owned(),
        }
    }

    #[test]
    fn subscribers_of_several_gateways_are_summed() {
        let pages = vec![
            page(&[("a", 1), ("c", 2)], "c"),
            page(&[("a", 3), ("b", 4), ("d", 5)], ""),
        ];
        let (channels, next) = join(pages, 9);
        let channels: Vec<_> = channels
            .into_iter()
            .map(|(name, info)| (name, info.num_clients))
            .collect();
        let expected = [("a", 4), ("b", 4), ("c", 2)];
        assert_eq!(
            channels,
            expected.map(|(name, count)| (name.to_owned(), count))
        );
        // Whatever the first gateway has after «c», it has not said yet.
        assert_eq!(next, "c");
    }
}
