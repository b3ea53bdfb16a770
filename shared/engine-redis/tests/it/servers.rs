//! Redis servers for the length of a test: on free ports of loopback, with their data in a directory
//! of their own.

use std::fs;
use std::future::Future;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use redis::{FromRedisValue, ProtocolVersion, RedisConnectionInfo, RedisResult, Value};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

/// Longest wait for anything that a server has to do. A failover on a busy machine takes seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where servers listen that need no address of their own.
const LOOPBACK: &str = "127.0.0.1";

/// Names a server to test with instead of the one that is installed.
const PROGRAM: &str = "GYRE_REDIS_SERVER";

#[expect(clippy::disallowed_methods, reason = "a switch of the tests")]
fn program() -> String {
    std::env::var(PROGRAM).unwrap_or_else(|_| "redis-server".to_owned())
}

/// One server.
pub(crate) struct Server {
    /// Address that it listens on and connects from.
    pub(crate) host: String,
    pub(crate) port: u16,
    tls_port: u16,
    directory: PathBuf,
    arguments: Vec<String>,
    child: Option<Child>,
}

/// Waits until it holds.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let started = Instant::now();
    while !condition().await {
        assert!(started.elapsed() < PATIENCE, "waited in vain: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// Ports that nobody listens on, other ones each time.
fn free_ports<const N: usize>() -> [u16; N] {
    std::array::from_fn(|_| gyre_ports::free_port().unwrap())
}

impl Server {
    /// Starts a server with these arguments besides the usual, and waits until it answers.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        let [port] = free_ports();
        Self::start_at(LOOPBACK, port, arguments).await
    }

    pub(crate) async fn start_at(host: &str, port: u16, arguments: &[&str]) -> Self {
        let mut server = Self::prepared(host, port, arguments);
        server.start_again().await;
        server
    }

    /// Starts a server that speaks TLS on a second port.
    pub(crate) async fn start_with_tls(certificate: &str, key: &str) -> Self {
        let [port, tls_port] = free_ports();
        let tls = tls_port.to_string();
        let arguments = ["--tls-port", &tls, "--tls-auth-clients", "no"];
        let files = ["--tls-cert-file", certificate, "--tls-key-file", key];
        let arguments = [&arguments[..], &files].concat();
        let mut server = Self::prepared(LOOPBACK, port, &arguments);
        server.tls_port = tls_port;
        server.start_again().await;
        server
    }

    pub(crate) const fn tls_port(&self) -> u16 {
        self.tls_port
    }

    fn prepared(host: &str, port: u16, arguments: &[&str]) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("gyre-redis-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(&directory).unwrap();
        Self {
            host: host.to_owned(),
            port,
            tls_port: 0,
            directory,
            arguments: arguments.iter().map(ToString::to_string).collect(),
            child: None,
        }
    }

    fn spawn(&mut self) {
        let log = fs::File::create(self.directory.join("log")).unwrap();
        let child = Command::new(program())
            .args(["--port", &self.port.to_string(), "--bind", &self.host])
            .args(["--bind-source-addr", &self.host, "--protected-mode", "no"])
            .args(["--save", "", "--repl-diskless-sync-delay", "0"])
            .args(["--dir", self.directory.to_str().unwrap()])
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server of Debian's package of that name");
        self.child = Some(child);
    }

    /// Starts it after it was killed, with the data that it has on its disk.
    pub(crate) async fn start_again(&mut self) {
        self.spawn();
        self.answers().await;
    }

    /// Waits until it answers.
    pub(crate) async fn answers(&self) {
        until("a server answers", || async {
            match self.ask::<Value>(&["PING"]).await {
                Ok(_) => true,
                // It is there, and wants to be introduced to.
                Err(error) => error.code() == Some("NOAUTH"),
            }
        })
        .await;
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// `SIGSTOP`: it keeps its connections and says nothing.
    pub(crate) fn pause(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
    }

    pub(crate) fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Runs a command on a connection of its own.
    pub(crate) async fn ask<T: FromRedisValue>(&self, words: &[&str]) -> RedisResult<T> {
        let asking = async {
            let stream = TcpStream::connect(self.address()).await?;
            let introduction = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP3);
            let (mut connection, driver) =
                redis::aio::MultiplexedConnection::new(&introduction, stream).await?;
            let mut command = redis::cmd(words[0]);
            command.arg(&words[1..]);
            tokio::select! {
                answer = command.query_async(&mut connection) => answer,
                () = driver => Err(std::io::Error::from(std::io::ErrorKind::BrokenPipe).into()),
            }
        };
        let answer = timeout(Duration::from_secs(5), asking).await;
        answer.unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
    }

    /// Runs a command that must succeed.
    pub(crate) async fn run<T: FromRedisValue>(&self, words: &[&str]) -> T {
        match self.ask(words).await {
            Ok(answer) => answer,
            Err(error) => panic!("{words:?}: {error}"),
        }
    }

    /// A line of `INFO`.
    pub(crate) async fn info(&self, section: &str, name: &str) -> String {
        let text: String = self.ask(&["INFO", section]).await.unwrap_or_default();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_default().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Three primaries and a replica of each.
pub(crate) struct Cluster {
    /// The first half were made primaries, the others their replicas, in the same order.
    pub(crate) servers: Vec<Server>,
}

pub(crate) const PRIMARIES: usize = 3;

impl Cluster {
    /// Starts and joins six servers, which notice within a second that one is gone.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub(crate) async fn start_with(arguments: &[&str]) -> Self {
        Self::start_at(|_| LOOPBACK.to_owned(), arguments).await
    }

    /// Starts it with these addresses.
    pub(crate) async fn start_at(host: fn(usize) -> String, arguments: &[&str]) -> Self {
        let ports = free_ports::<{ PRIMARIES * 4 }>();
        let starting = ports.chunks(2).enumerate().map(|(index, pair)| async move {
            let bus = pair[1].to_string();
            let own = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"];
            let more = [
                "--cluster-port",
                &bus,
                "--cluster-replica-validity-factor",
                "0",
            ];
            // Otherwise all nodes stop as soon as one is missing.
            let coverage = ["--cluster-require-full-coverage", "no"];
            let all = [&own[..], &more, &coverage, arguments].concat();
            (Server::start_at(&host(index), pair[0], &all).await, pair[1])
        });
        let (servers, buses): (Vec<_>, Vec<_>) = join_all(starting).await.into_iter().unzip();
        let cluster = Self { servers };
        cluster.join(&buses).await;
        cluster
    }

    async fn join(&self, buses: &[u16]) {
        for (index, server) in self.servers.iter().enumerate() {
            let epoch = (index + 1).to_string();
            server
                .run::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch])
                .await;
            if index < PRIMARIES {
                let (first, end) = (index * 16_384 / PRIMARIES, (index + 1) * 16_384 / PRIMARIES);
                let (first, last) = (first.to_string(), (end - 1).to_string());
                server
                    .run::<()>(&["CLUSTER", "ADDSLOTSRANGE", &first, &last])
                    .await;
            }
        }
        for (server, bus) in self.servers.iter().zip(buses).skip(1) {
            let (port, bus) = (server.port.to_string(), bus.to_string());
            let first = &self.servers[0];
            first
                .run::<()>(&["CLUSTER", "MEET", &server.host, &port, &bus])
                .await;
        }
        let count = self.servers.len().to_string();
        for server in &self.servers {
            until("all nodes know each other", || async {
                server.cluster_info("cluster_known_nodes").await == count
            })
            .await;
        }
        for index in PRIMARIES..self.servers.len() {
            let id: String = self.servers[index - PRIMARIES]
                .run(&["CLUSTER", "MYID"])
                .await;
            let replica = &self.servers[index];
            until("a replica knows its primary", || async {
                replica
                    .ask::<()>(&["CLUSTER", "REPLICATE", &id])
                    .await
                    .is_ok()
            })
            .await;
        }
        self.is_whole().await;
    }

    /// Waits until every slot is served, and every node that lives agrees.
    pub(crate) async fn is_whole(&self) {
        for server in self.servers.iter().filter(|server| server.child.is_some()) {
            until("the cluster is whole", || async {
                server.cluster_info("cluster_state").await == "ok"
            })
            .await;
            until("replicas follow", || async {
                let role = server.info("replication", "role").await;
                role == "master" || server.info("replication", "master_link_status").await == "up"
            })
            .await;
        }
    }

    pub(crate) fn addresses(&self) -> Vec<String> {
        self.servers.iter().map(Server::address).collect()
    }
}

/// A primary and its replica, under the eyes of three sentinels.
pub(crate) struct Sentinels {
    pub(crate) primary: Server,
    pub(crate) replica: Server,
    sentinels: Vec<Server>,
}

impl Sentinels {
    pub(crate) async fn start() -> Self {
        let primary = Server::start(&[]).await;
        let port = primary.port.to_string();
        let replica = Server::start(&["--replicaof", "127.0.0.1", &port]).await;
        until("the replica follows", || async {
            replica.info("replication", "master_link_status").await == "up"
        })
        .await;
        let ports = free_ports::<3>();
        let starting = ports.map(|own| Server::start_sentinel(own, &port));
        let sentinels = join_all(starting).await;
        let watched = Self {
            primary,
            replica,
            sentinels,
        };
        for sentinel in &watched.sentinels {
            until("sentinels know each other and the replica", || async {
                let line = sentinel.info("sentinel", "master0").await;
                line.contains("slaves=1") && line.contains("sentinels=3")
            })
            .await;
        }
        watched
    }

    pub(crate) fn addresses(&self) -> Vec<String> {
        self.sentinels.iter().map(Server::address).collect()
    }
}

impl Server {
    async fn start_sentinel(port: u16, primary_port: &str) -> Self {
        let mut server = Self::prepared(LOOPBACK, port, &[]);
        let file = server.directory.join("sentinel.conf");
        let text = format!(
            "port {port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {primary_port} 2\n\
             sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 5000\n"
        );
        fs::write(&file, text).unwrap();
        let child = Command::new(program())
            .arg(&file)
            .arg("--sentinel")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        server.child = Some(child);
        server.answers().await;
        server
    }

    pub(crate) async fn cluster_info(&self, name: &str) -> String {
        let text: String = self.ask(&["CLUSTER", "INFO"]).await.unwrap_or_default();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_default().trim().to_owned()
    }
}

impl Cluster {
    /// The server that is primary now of those that began as this primary and its replica.
    pub(crate) async fn primary_of(&self, index: usize) -> usize {
        let replica = index + PRIMARIES;
        if self.servers[replica].info("replication", "role").await == "master" {
            replica
        } else {
            index
        }
    }

    /// Whether every slot has an owner, and every node thinks that all is well.
    pub(crate) async fn is_served(&self) -> bool {
        for server in &self.servers {
            if server.cluster_info("cluster_slots_ok").await != "16384" {
                return false;
            }
        }
        true
    }

    /// Moves a slot with publications in it from this server to another primary.
    pub(crate) async fn move_a_slot(&self, from: usize) {
        let source = &self.servers[from];
        let mut to = (from + 1) % PRIMARIES;
        to = self.primary_of(to).await;
        let target = &self.servers[to];
        let (source_id, target_id): (String, String) = (
            source.run(&["CLUSTER", "MYID"]).await,
            target.run(&["CLUSTER", "MYID"]).await,
        );
        let keys: Vec<String> = source.run(&["KEYS", "*:m:*"]).await;
        let Some(key) = keys.first() else {
            return;
        };
        let slot = source
            .run::<u64>(&["CLUSTER", "KEYSLOT", key])
            .await
            .to_string();
        target
            .run::<()>(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &source_id])
            .await;
        source
            .run::<()>(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &target_id])
            .await;
        let port = target.port.to_string();
        loop {
            let keys: Vec<String> = source.run(&["CLUSTER", "GETKEYSINSLOT", &slot, "10"]).await;
            if keys.is_empty() {
                break;
            }
            let mut migrate = vec!["MIGRATE", &target.host, &port, "", "0", "5000", "KEYS"];
            migrate.extend(keys.iter().map(String::as_str));
            source.run::<()>(&migrate).await;
        }
        for server in [target, source] {
            server
                .run::<()>(&["CLUSTER", "SETSLOT", &slot, "NODE", &target_id])
                .await;
        }
    }
}
