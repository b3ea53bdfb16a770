use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisResult, Value, cmd, pipe};

/// What can be asked of a server: each is one script, one round trip, atomic.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Script {
    Publish,
    Pass,
    History,
    Remove,
    MemberAdd,
    MemberRemove,
    MemberList,
    MemberCount,
    Lease,
    GatewayEnter,
    GatewayLeave,
    GatewayList,
    Permits,
    StatusSet,
    StatusRead,
    StatusForget,
    TablePut,
    TableSince,
    TablePage,
    TablePurge,
    TableNumber,
    Ping,
    Agree,
    ChannelRecord,
    ChannelClaims,
    ChannelLook,
    ChannelSweep,
    ChannelTake,
    ChannelTold,
}

const FENCE: &str = include_str!("lua/fence.lua");
const CHANNELS: &str = include_str!("lua/channels.lua");
const MEMBERS: &str = include_str!("lua/members.lua");

impl Script {
    const ALL: [Self; 29] = [
        Self::Publish,
        Self::Pass,
        Self::History,
        Self::Remove,
        Self::MemberAdd,
        Self::MemberRemove,
        Self::MemberList,
        Self::MemberCount,
        Self::Lease,
        Self::GatewayEnter,
        Self::GatewayLeave,
        Self::GatewayList,
        Self::Permits,
        Self::StatusSet,
        Self::StatusRead,
        Self::StatusForget,
        Self::TablePut,
        Self::TableSince,
        Self::TablePage,
        Self::TablePurge,
        Self::TableNumber,
        Self::Ping,
        Self::Agree,
        Self::ChannelRecord,
        Self::ChannelClaims,
        Self::ChannelLook,
        Self::ChannelSweep,
        Self::ChannelTake,
        Self::ChannelTold,
    ];

    /// What goes before the script, and the script.
    const fn source(self) -> (&'static str, &'static str) {
        match self {
            Self::Publish => (FENCE, include_str!("lua/publish.lua")),
            Self::Pass => ("", include_str!("lua/pass.lua")),
            Self::History => (FENCE, include_str!("lua/history.lua")),
            Self::Remove => ("", include_str!("lua/remove.lua")),
            Self::StatusForget => ("", "return redis.call('UNLINK', KEYS[1])"),
            Self::MemberAdd => (MEMBERS, include_str!("lua/member_add.lua")),
            Self::MemberRemove => (MEMBERS, include_str!("lua/member_remove.lua")),
            Self::MemberList => (MEMBERS, include_str!("lua/member_list.lua")),
            Self::MemberCount => (MEMBERS, include_str!("lua/member_count.lua")),
            Self::Lease => (MEMBERS, include_str!("lua/lease.lua")),
            Self::GatewayEnter => (MEMBERS, include_str!("lua/gateway_enter.lua")),
            Self::GatewayLeave => ("", include_str!("lua/gateway_leave.lua")),
            Self::GatewayList => (MEMBERS, include_str!("lua/gateway_list.lua")),
            Self::Permits => ("", include_str!("lua/permits.lua")),
            Self::StatusSet => ("", include_str!("lua/status.lua")),
            Self::TablePut => ("", include_str!("lua/table_put.lua")),
            Self::TableSince => ("", include_str!("lua/table_since.lua")),
            Self::TablePage => ("", include_str!("lua/table_page.lua")),
            Self::TablePurge => ("", include_str!("lua/table_purge.lua")),
            Self::TableNumber => ("", "return redis.call('GET', KEYS[5])"),
            Self::Ping => ("", "return 1"),
            Self::ChannelRecord => (CHANNELS, include_str!("lua/channel_record.lua")),
            Self::ChannelClaims => ("", "return redis.call('HKEYS', KEYS[1])"),
            Self::ChannelLook => (CHANNELS, include_str!("lua/channel_look.lua")),
            Self::ChannelSweep => (CHANNELS, include_str!("lua/channel_sweep.lua")),
            Self::ChannelTake => ("", include_str!("lua/channel_take.lua")),
            Self::ChannelTold => ("", include_str!("lua/channel_told.lua")),
            Self::Agree => ("", include_str!("lua/agree.lua")),
            Self::StatusRead => ("", "return redis.call('HMGET', KEYS[1], 'a', 'o', 's')"),
        }
    }
}

/// The scripts with their hashes. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Scripts {
    all: Arc<[Loaded]>,
}

struct Loaded {
    script: Script,
    text: String,
    hash: String,
}

impl Scripts {
    pub(crate) fn new() -> Self {
        let all = Script::ALL.map(|script| {
            let (common, own) = script.source();
            let text = format!("{common}\n{own}");
            let hash = redis::Script::new(&text).get_hash().to_owned();
            Loaded { script, text, hash }
        });
        Self { all: all.into() }
    }

    /// The command that runs a script that the server has.
    pub(crate) fn by_hash(&self, script: Script) -> Cmd {
        let mut command = cmd("EVALSHA");
        command.arg(self.get(script).map_or("", |one| &one.hash));
        command
    }

    /// The command that runs a script whether the server has it or not; then it has it.
    pub(crate) fn by_text(&self, script: Script) -> Cmd {
        let mut command = cmd("EVAL");
        command.arg(self.get(script).map_or("", |one| &one.text));
        command
    }

    /// Gives a server all scripts.
    pub(crate) async fn load(&self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        let mut load = pipe();
        for one in &*self.all {
            let mut command = cmd("SCRIPT");
            command.arg("LOAD").arg(&one.text);
            load.add_command(command);
        }
        let answers = connection
            .send_packed_commands(&load, 0, self.all.len())
            .await?;
        answers
            .into_iter()
            .try_for_each(|answer| Value::extract_error(answer).map(drop))
    }

    fn get(&self, script: Script) -> Option<&Loaded> {
        self.all.iter().find(|one| one.script == script)
    }
}
