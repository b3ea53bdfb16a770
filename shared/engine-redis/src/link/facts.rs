use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{RedisError, Value, cmd, pipe};

/// What a server says about itself.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Facts {
    /// Its replication id: a new one after each start and each promotion. What was written under
    /// another one may be incomplete here.
    pub(crate) lineage: Arc<str>,
    /// Whether it takes writes.
    pub(crate) is_primary: bool,
    /// Whether it is a node of a cluster.
    pub(crate) is_cluster: bool,
    /// Whether it has sharded PUB/SUB.
    pub(crate) has_shards: bool,
}

impl Facts {
    /// Asks for all of it.
    pub(crate) async fn ask(connection: &mut MultiplexedConnection) -> Result<Self, RedisError> {
        let mut ask = pipe();
        ask.add_command(info("replication"));
        ask.add_command(info("cluster"));
        ask.add_command(info("server"));
        let mut command = cmd("COMMAND");
        command.arg("INFO").arg("SPUBLISH");
        ask.add_command(command);
        let answers = connection.send_packed_commands(&ask, 0, 4).await?;
        let mut answers = answers.into_iter();
        let replication = text(answers.next().unwrap_or_default())?;
        let cluster = text(answers.next().unwrap_or_default())?;
        let server = text(answers.next().unwrap_or_default())?;
        let mut facts = Self {
            is_cluster: field(&cluster, "cluster_enabled") == Some("1"),
            has_shards: has_shards(answers.next().unwrap_or_default(), &server),
            ..Self::default()
        };
        facts.read_replication(&replication);
        Ok(facts)
    }

    /// Asks again for what may change.
    pub(crate) async fn ask_again(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<Self, RedisError> {
        let answer = connection.send_packed_command(&info("replication")).await?;
        let mut facts = self.clone();
        facts.read_replication(&text(answer)?);
        Ok(facts)
    }

    fn read_replication(&mut self, text: &str) {
        self.lineage = field(text, "master_replid").unwrap_or_default().into();
        self.is_primary = field(text, "role") == Some("master");
    }
}

/// Whether there is sharded PUB/SUB: asked for by name, or known by version where asking is barred.
fn has_shards(answer: Value, server: &str) -> bool {
    if let Value::Array(commands) = answer {
        return commands.iter().any(|one| *one != Value::Nil);
    }
    let version = field(server, "redis_version").unwrap_or_default();
    let major = version.split('.').next().unwrap_or_default();
    major.parse::<u32>().is_ok_and(|major| major >= 7)
}

fn info(section: &str) -> redis::Cmd {
    let mut info = cmd("INFO");
    info.arg(section);
    info
}

fn text(answer: Value) -> Result<String, RedisError> {
    let answer = answer.extract_error()?;
    redis::from_redis_value(answer).map_err(Into::into)
}

/// Value of a line «name:value».
pub(crate) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "# Replication\r\nrole:master\r\nmaster_replid:abc\r\nmaster_replid2:def\r\n";
        assert_eq!(field(text, "master_replid"), Some("abc"));
        assert_eq!(field(text, "replid"), None);
        let mut facts = Facts::default();
        facts.read_replication(text);
        assert_eq!((&*facts.lineage, facts.is_primary), ("abc", true));
    }

    #[test]
    fn shards_are_known_by_name_or_by_version() {
        assert!(has_shards(Value::Array(vec![Value::Array(vec![])]), ""));
        assert!(!has_shards(
            Value::Array(vec![Value::Nil]),
            "redis_version:7.0.1"
        ));
        assert!(has_shards(Value::Nil, "redis_version:7.0.15"));
        assert!(!has_shards(Value::Nil, "redis_version:6.2.7"));
    }
}
