//! Where things lie: partitions, their tags, names of keys and of bus channels.
//!
//! A channel belongs to one of a fixed number of partitions, by a hash of its name. All keys of a
//! partition carry its tag in braces, so that one script reaches them all and publishes in the same
//! slot of a cluster. Tags are chosen so that the slots of the partitions lie at equal distances:
//! whatever the number of nodes, each gets an equal share, give or take one.
//!
//! A bus channel carries the publications of one partition's share of channels. Whoever has a
//! subscriber in one of them hears all of them, numbered without holes: so a loss is noticed for all
//! of them at once.

use std::fmt::Write as _;

/// Slots of a Redis Cluster.
pub(crate) const SLOTS: u16 = 16_384;

/// Names of everything that this installation keeps on Redis.
#[derive(Debug)]
pub(crate) struct Layout {
    prefix: String,
    partitions: Box<[Partition]>,
    bus_channels: u16,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Partition {
    tag: Box<str>,
    slot: u16,
}

/// Where a channel lies.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Place {
    /// Number of the partition.
    pub(crate) partition: u16,
    /// Number of the bus channel in the partition.
    pub(crate) bus: u16,
}

/// What a key is for; the letter stands in its name.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// A partition's lineage, generation and sequence numbers.
    Header,
    /// A channel's publications.
    Stream,
    /// A channel's epoch, top and version.
    Meta,
    /// A channel's members.
    Members,
    /// How often which user is a member of a channel.
    Users,
    /// Until when members of which gateway count.
    Leases,
    /// When a user was last there.
    Status,
    /// Entries of the gateways.
    Gateways,
    /// Until when entries of gateways count.
    GatewayLeases,
    /// Rates that processes share.
    Meters,
    /// How many gateways use which channel.
    ChannelCounts,
    /// Which channels one gateway uses.
    ChannelClaims,
    /// Until when claims of gateways count.
    ChannelLeases,
    /// What became of channels.
    ChannelEvents,
    /// Which gateway tells it.
    ChannelTeller,
    /// What the rows of a small table say.
    TableRows,
    /// Its keys in order.
    TableOrder,
    /// Numbers of its changes.
    TableChanges,
    /// When rows are over.
    TableEnds,
    /// The last number.
    TableNumber,
}

impl Kind {
    const fn letters(self) -> &'static str {
        match self {
            Self::Header => "n",
            Self::Stream => "s",
            Self::Meta => "m",
            Self::Members => "p",
            Self::Users => "u",
            Self::Leases => "l",
            Self::Status => "a",
            Self::Gateways => "g",
            Self::GatewayLeases => "gl",
            Self::Meters => "r",
            Self::ChannelCounts => "cn",
            Self::ChannelClaims => "cc",
            Self::ChannelLeases => "cl",
            Self::ChannelEvents => "ce",
            Self::ChannelTeller => "ct",
            Self::TableRows => "tr",
            Self::TableOrder => "to",
            Self::TableChanges => "tc",
            Self::TableEnds => "te",
            Self::TableNumber => "tn",
        }
    }
}

impl Layout {
    /// A layout with so many partitions, and so many bus channels in each; at least one of either.
    pub(crate) fn new(prefix: &str, partitions: u16, bus_channels: u16) -> Self {
        Self {
            prefix: prefix.to_owned(),
            partitions: spread(partitions.clamp(1, SLOTS)),
            bus_channels: bus_channels.max(1),
        }
    }

    /// How many partitions there are.
    pub(crate) fn partitions(&self) -> u16 {
        u16::try_from(self.partitions.len()).unwrap_or(SLOTS)
    }

    /// Where a channel, or anything else with a name, lies.
    pub(crate) fn place(&self, name: &str) -> Place {
        let hash = hash(name);
        Place {
            partition: part(hash, self.partitions()),
            bus: part(hash >> 32, self.bus_channels),
        }
    }

    /// Slot of a partition's keys.
    pub(crate) fn slot(&self, partition: u16) -> u16 {
        self.partitions
            .get(usize::from(partition))
            .map_or(0, |one| one.slot)
    }

    /// The key of this kind for a whole partition.
    pub(crate) fn partition_key(&self, kind: Kind, partition: u16) -> String {
        format!(
            "{}:{}:{{{}}}",
            self.prefix,
            kind.letters(),
            self.tag(partition)
        )
    }

    /// The key of this kind for a channel or user of a partition.
    pub(crate) fn key(&self, kind: Kind, partition: u16, name: &str) -> String {
        let mut key = self.partition_key(kind, partition);
        key.push(':');
        key.push_str(name);
        key
    }

    /// The key under which an idempotency key of a channel is remembered. The length tells where the
    /// channel's name ends.
    pub(crate) fn idempotency_key(&self, partition: u16, channel: &str, key: &str) -> String {
        let tag = self.tag(partition);
        format!(
            "{}:k:{{{tag}}}:{}:{channel}:{key}",
            self.prefix,
            channel.len()
        )
    }

    /// The bus channel that publications of this place go to.
    pub(crate) fn bus_channel(&self, place: Place) -> String {
        let mut name = format!("{}:b:{{{}}}:", self.prefix, self.tag(place.partition));
        // Writing to a string does not fail.
        let _ = write!(name, "{}", place.bus);
        name
    }

    /// The place that a bus channel's name stands for.
    pub(crate) fn place_of(&self, bus_channel: &str) -> Option<Place> {
        let rest = bus_channel.strip_prefix(&self.prefix)?;
        let (tag, bus) = rest.strip_prefix(":b:{")?.split_once("}:")?;
        let slot = slot_of(tag);
        let partition = self.partitions.binary_search_by_key(&slot, |one| one.slot);
        Some(Place {
            partition: u16::try_from(partition.ok()?).ok()?,
            bus: bus.parse().ok()?,
        })
    }

    fn tag(&self, partition: u16) -> &str {
        self.partitions
            .get(usize::from(partition))
            .map_or("", |one| &one.tag)
    }
}

/// Partitions whose slots lie in the middle of equal shares of all slots, in their order. The tag is
/// the first text of digits and small letters, the shortest first, that lies in the slot.
fn spread(count: u16) -> Box<[Partition]> {
    let middle = |number: u32| {
        let slot = (number * 2 + 1) * u32::from(SLOTS) / (u32::from(count) * 2);
        u16::try_from(slot).unwrap_or(SLOTS - 1)
    };
    let mut partitions: Box<[Partition]> = (0..u32::from(count))
        .map(|number| Partition {
            tag: Box::default(),
            slot: middle(number),
        })
        .collect();
    let mut missing = partitions.len();
    for tag in tags() {
        let slot = slot_of(&tag);
        let Ok(at) = partitions.binary_search_by_key(&slot, |one| one.slot) else {
            continue;
        };
        if let Some(free) = partitions.get_mut(at).filter(|one| one.tag.is_empty()) {
            free.tag = tag.into();
            missing -= 1;
        }
        if missing == 0 {
            break;
        }
    }
    partitions
}

/// Texts of digits and small letters, one to four long. Every slot has one of them.
fn tags() -> impl Iterator<Item = String> {
    const LETTERS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    (1..=4_u32).flat_map(|len| {
        (0..36_usize.pow(len)).map(move |mut number| {
            let mut tag = String::new();
            for _ in 0..len {
                tag.extend(LETTERS.get(number % 36).copied().map(char::from));
                number /= 36;
            }
            tag
        })
    })
}

/// Slot of a text: CRC-16 of the XMODEM kind, as Redis defines it.
pub(crate) fn slot_of(text: &str) -> u16 {
    let crc = text.bytes().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| {
            let shifted = crc << 1;
            if crc & 0x8000 == 0 {
                shifted
            } else {
                shifted ^ 0x1021
            }
        })
    });
    crc % SLOTS
}

/// FNV-1a with a finish that lets every bit depend on every byte. Fixed for ever: where channels lie
/// on Redis depends on it.
fn hash(name: &str) -> u64 {
    let fnv = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mixed = (fnv ^ (fnv >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^ (mixed >> 33)
}

/// One of `count` parts, by the low half of a hash.
fn part(hash: u64, count: u16) -> u16 {
    let low = hash & 0xffff_ffff;
    u16::try_from(low % u64::from(count)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_redis() {
        // From the specification of Redis Cluster.
        assert_eq!(slot_of("123456789"), 0x31c3 % SLOTS);
        assert_eq!(slot_of("foo"), 12_182);
    }

    #[test]
    fn tags_lie_in_their_slots_and_differ() {
        for count in [1, 7, 16, 256, 4096, SLOTS] {
            let partitions = spread(count);
            assert_eq!(partitions.len(), usize::from(count));
            for one in &partitions {
                assert_eq!(slot_of(&one.tag), one.slot, "of {count}");
            }
            assert!(partitions.is_sorted_by_key(|one| one.slot));
        }
    }

    #[test]
    fn every_number_of_nodes_gets_equal_shares() {
        let partitions = spread(256);
        for nodes in 1..=64_u32 {
            let mut shares = vec![0_u32; nodes as usize];
            for one in &partitions {
                let node = u32::from(one.slot) * nodes / u32::from(SLOTS);
                shares[node as usize] += 1;
            }
            let (least, most) = (shares.iter().min(), shares.iter().max());
            assert!(most.unwrap() - least.unwrap() <= 1, "{nodes}: {shares:?}");
        }
    }

    #[test]
    fn where_things_lie_stays() {
        let layout = Layout::new("gyre", 256, 64);
        let place = layout.place("news");
        assert_eq!(
            layout.key(Kind::Meta, place.partition, "news"),
            "gyre:m:{jqd}:news"
        );
        assert_eq!(layout.bus_channel(place), "gyre:b:{jqd}:63");
        assert_eq!(
            layout.idempotency_key(place.partition, "news", "key"),
            "gyre:k:{jqd}:4:news:key"
        );
    }

    #[test]
    fn a_bus_channel_leads_back_to_its_place() {
        let layout = Layout::new("a:b", 256, 64);
        for number in 0..1000 {
            let place = layout.place(&number.to_string());
            assert_eq!(layout.place_of(&layout.bus_channel(place)), Some(place));
        }
        assert_eq!(layout.place_of("else:b:{0}:1"), None);
    }

    #[test]
    fn channels_spread_over_partitions_and_buses() {
        let layout = Layout::new("gyre", 16, 16);
        let mut counts = std::collections::BTreeMap::new();
        for number in 0..25_600 {
            *counts
                .entry(layout.place(&format!("user:{number}")))
                .or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 256);
        assert!(
            counts.values().all(|count| (50..160).contains(count)),
            "{counts:?}"
        );
    }
}
