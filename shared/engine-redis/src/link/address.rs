use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::percent_decode_str;

/// Where a Redis without a port listens.
const PORT: u16 = 6379;
/// Where a sentinel without a port listens.
const SENTINEL_PORT: u16 = 26_379;

/// Where a server listens.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Address {
    Tcp { host: Arc<str>, port: u16 },
    Unix { path: Arc<str> },
}

/// One configured address: `scheme://user:password@host:port/db?option=value`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    pub(crate) addresses: Vec<Address>,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) db: Option<i64>,
    pub(crate) tls: bool,
    pub(crate) is_cluster: bool,
    pub(crate) is_sentinel: bool,
    /// Name that sentinels are asked for.
    pub(crate) primary: String,
    pub(crate) sentinel_user: String,
    pub(crate) sentinel_password: String,
    pub(crate) sentinel_tls: bool,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) io_timeout: Option<Duration>,
}

/// What is wrong with an address.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AddressError {
    /// No way to speak to a server.
    #[error(
        "`{0}` is no scheme; there are redis, rediss, redis+sentinel, rediss+sentinel, redis+cluster, rediss+cluster, tcp and unix"
    )]
    Scheme(String),
    /// The host is missing.
    #[error("it names no host")]
    Host,
    /// Not a port.
    #[error("`{0}` is no port")]
    Port(String),
    /// Not a database.
    #[error("`{0}` is no database: a number is")]
    Database(String),
    /// Something behind the question mark is not known.
    #[error("`{0}` is no option of an address")]
    Option(String),
    /// The value of an option is not one it takes.
    #[error("`{value}` is no value of {option}")]
    Value {
        /// Which option.
        option: String,
        /// What was given.
        value: String,
    },
}

impl Address {
    /// Reads `host:port`, `[::1]:port` or a host alone.
    pub(crate) fn parse(text: &str, default_port: u16) -> Result<Self, AddressError> {
        let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, rest)) => (host, rest.strip_prefix(':')),
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        if host.is_empty() {
            return Err(AddressError::Host);
        }
        let port = match port {
            Some(port) => port
                .parse()
                .map_err(|_| AddressError::Port(port.to_owned()))?,
            None => default_port,
        };
        Ok(Self::Tcp {
            host: host.into(),
            port,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix { path } => write!(f, "unix:{path}"),
        }
    }
}

impl Given {
    /// Reads an address in any of its forms.
    pub(crate) fn parse(text: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("tcp", text));
        let mut given = Self {
            tls: scheme.starts_with("rediss"),
            is_cluster: scheme.ends_with("+cluster"),
            is_sentinel: scheme.ends_with("+sentinel"),
            ..Self::default()
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        match scheme {
            "unix" => given.addresses.push(Address::Unix { path: rest.into() }),
            "tcp" | "redis" | "rediss" | "redis+cluster" | "rediss+cluster" | "redis+sentinel"
            | "rediss+sentinel" => given.read_host(rest)?,
            _ => return Err(AddressError::Scheme(scheme.to_owned())),
        }
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            given.read_option(name, &decoded(value))?;
        }
        Ok(given)
    }

    /// The address as a message may show it.
    pub(crate) fn without_secrets(text: &str) -> String {
        let text = text.split_once('?').map_or(text, |(before, _)| before);
        match (text.split_once("://"), text.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
            (None, Some((_, host))) => host.to_owned(),
            _ => text.to_owned(),
        }
    }

    /// Whether it is a single server, as far as its text says.
    pub(crate) const fn is_plain(&self) -> bool {
        !self.is_cluster && !self.is_sentinel
    }

    const fn default_port(&self) -> u16 {
        if self.is_sentinel {
            SENTINEL_PORT
        } else {
            PORT
        }
    }

    fn read_host(&mut self, rest: &str) -> Result<(), AddressError> {
        let (access, rest) = rest.rsplit_once('@').unwrap_or(("", rest));
        let (user, password) = access.split_once(':').unwrap_or((access, ""));
        self.user = decoded(user);
        self.password = decoded(password);
        let (hosts, db) = rest.split_once('/').unwrap_or((rest, ""));
        if !db.is_empty() {
            let number = db
                .parse()
                .map_err(|_| AddressError::Database(db.to_owned()))?;
            self.db = Some(number);
        }
        for host in hosts.split(',') {
            self.addresses
                .push(Address::parse(host, self.default_port())?);
        }
        Ok(())
    }

    fn read_option(&mut self, name: &str, value: &str) -> Result<(), AddressError> {
        let wrong = || AddressError::Value {
            option: name.to_owned(),
            value: value.to_owned(),
        };
        match name {
            "addr" => self
                .addresses
                .push(Address::parse(value, self.default_port())?),
            "connect_timeout" => {
                self.connect_timeout = Some(duration(value).ok_or_else(wrong)?);
            }
            "io_timeout" => self.io_timeout = Some(duration(value).ok_or_else(wrong)?),
            "tls_enabled" => self.tls |= flag(value).ok_or_else(wrong)?,
            "sentinel_tls_enabled" => self.sentinel_tls |= flag(value).ok_or_else(wrong)?,
            "sentinel_master_name" => value.clone_into(&mut self.primary),
            "sentinel_user" => value.clone_into(&mut self.sentinel_user),
            "sentinel_password" => value.clone_into(&mut self.sentinel_password),
            _ => return Err(AddressError::Option(name.to_owned())),
        }
        Ok(())
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn flag(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// A number with `ms` or `s` behind it.
fn duration(text: &str) -> Option<Duration> {
    if let Some(millis) = text.strip_suffix("ms") {
        return millis.parse().ok().map(Duration::from_millis);
    }
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let given = Given::parse(text).unwrap();
        given.addresses.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn hosts_are_read_in_every_form() {
        assert_eq!(shown("host"), ["host:6379"]);
        assert_eq!(shown("host:1"), ["host:1"]);
        assert_eq!(shown("tcp://host:1"), ["host:1"]);
        assert_eq!(shown("redis://[::1]:2/0"), ["[::1]:2"]);
        assert_eq!(shown("redis+sentinel://a,b:3"), ["a:26379", "b:3"]);
        assert_eq!(shown("unix:///run/redis.sock"), ["unix:/run/redis.sock"]);
        assert_eq!(
            shown("redis+cluster://a:1?addr=b:2&addr=c:3"),
            ["a:1", "b:2", "c:3"]
        );
    }

    #[test]
    fn options_are_read() {
        let given = Given::parse("rediss://u:p@h?connect_timeout=500ms&io_timeout=1.5s").unwrap();
        assert!(given.tls && given.is_plain());
        assert_eq!((&*given.user, &*given.password), ("u", "p"));
        assert_eq!(given.connect_timeout, Some(Duration::from_millis(500)));
        assert_eq!(given.io_timeout, Some(Duration::from_millis(1500)));
        assert!(Given::parse("h?tls_enabled=true").unwrap().tls);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let wrong = |text| Given::parse(text).unwrap_err();
        assert_eq!(wrong("http://h"), AddressError::Scheme("http".to_owned()));
        assert_eq!(wrong("redis://"), AddressError::Host);
        assert_eq!(wrong("h:x"), AddressError::Port("x".to_owned()));
        assert_eq!(wrong("redis://h/x"), AddressError::Database("x".to_owned()));
        assert_eq!(wrong("h?x=1"), AddressError::Option("x".to_owned()));
        assert!(matches!(
            wrong("h?io_timeout=4"),
            AddressError::Value { .. }
        ));
    }
}
