//! The server under test: started with our configuration, or one that runs already.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use std::{env, fs, process};

use anyhow::{Context, Result, bail, ensure};
use gyre_ports::free_port;
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::args::Args;
use crate::http::Api;
use crate::usage::Usage;

/// Key of the server API, over HTTP and gRPC.
pub(crate) const API_KEY: &str = "load";

const START_MAX: Duration = Duration::from_secs(15);
const STOP_MAX: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);

/// A server that answers.
#[derive(Debug)]
pub(crate) struct Server {
    /// Where clients connect, and the HTTP API is.
    pub address: SocketAddr,
    /// Where the gRPC API is.
    pub grpc: SocketAddr,
    /// Its process.
    pub pid: u32,
    child: Option<(Child, PathBuf)>,
}

impl Server {
    /// Starts a server, or takes the one that runs, and waits until it answers.
    pub(crate) async fn begin(args: &Args, command: Option<&str>) -> Result<Self> {
        let mut server = match (command, &args.url, args.pid) {
            (None, Some(url), Some(pid)) => {
                let address: SocketAddr = url.parse().context("--url is not HOST:PORT")?;
                let grpc = SocketAddr::new(address.ip(), args.grpc_port);
                Self {
                    address,
                    grpc,
                    pid,
                    child: None,
                }
            }
            (Some(command), ..) => start(command, args.server_core())?,
            (None, ..) => bail!("--url needs --pid"),
        };
        ensure!(
            server.address.ip().is_loopback(),
            "only servers of this machine are measured"
        );
        server.wait().await?;
        Ok(server)
    }

    async fn wait(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_MAX;
        loop {
            if let Ok(mut api) = Api::connect(self.address).await
                && api.is_healthy().await
            {
                return Ok(());
            }
            if let Some((child, path)) = &mut self.child
                && let Some(status) = child.try_wait()?
            {
                let log = fs::read_to_string(path.with_extension("log")).unwrap_or_default();
                bail!("the server ended: {status}\n{log}");
            }
            ensure!(
                Instant::now() < deadline,
                "the server is not healthy after {START_MAX:?}"
            );
            sleep(POLL).await;
        }
    }

    /// What it has used so far.
    pub(crate) fn usage(&self) -> Result<Usage> {
        Usage::of(self.pid)
    }

    /// Stops it, if it is ours.
    pub(crate) async fn end(self) -> Result<()> {
        let Some((mut child, path)) = self.child else {
            return Ok(());
        };
        let _ = Command::new("kill")
            .arg(self.pid.to_string())
            .status()
            .await;
        if tokio::time::timeout(STOP_MAX, child.wait()).await.is_err() {
            child.kill().await?;
        }
        for file in [path.with_extension("log"), path] {
            let _ = fs::remove_file(file);
        }
        Ok(())
    }
}

fn start(command: &str, core: Option<u32>) -> Result<Server> {
    let [http, grpc] = [free_port()?, free_port()?];
    let path = env::temp_dir().join(format!("gyre-load-{}-{http}.json", process::id()));
    fs::write(&path, config(http, grpc).to_string())?;
    let log = fs::File::create(path.with_extension("log"))?;
    let pinned = core.map_or_else(String::new, |core| format!("taskset -c {core} "));
    let line = pinned + &command.replace("{config}", &path.to_string_lossy());
    let mut words = line.split_whitespace();
    let child = Command::new(words.next().context("an empty command")?)
        .args(words)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start `{line}`"))?;
    let pid = child.id().context("the server ended at once")?;
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    Ok(Server {
        address: at(http),
        grpc: at(grpc),
        pid,
        child: Some((child, path)),
    })
}

/// The configuration: defaults but for keys, ports, insecure clients and some namespaces.
pub(crate) fn config(http: u16, grpc: u16) -> Value {
    json!({
        "http_server": {"address": "127.0.0.1", "port": http},
        "http_api": {"key": API_KEY},
        "grpc_api": {"enabled": true, "address": "127.0.0.1", "port": grpc, "key": API_KEY},
        "health": {"enabled": true},
        "log": {"level": "error"},
        "client": {"insecure": true, "allowed_origins": ["*"], "channel_limit": 1000},
        "rpc": {"ping": {"enabled": true}},
        "channel": {
            "namespaces": [
                {"name": "hist", "history_size": 100, "history_ttl": "300s"},
                {"name": "rec", "history_size": 2000, "history_ttl": "300s", "force_recovery": true},
                {"name": "pres", "presence": true},
            ],
        },
    })
}

/// Keeps this process on one core, if `taskset` is there.
pub(crate) fn pin_this_process(core: u32) {
    let pid = process::id().to_string();
    let pinned = process::Command::new("taskset")
        .args(["-cp", &core.to_string(), &pid])
        .stdout(Stdio::null())
        .status();
    if !pinned.is_ok_and(|status| status.success()) {
        crate::report::progress("this process is not pinned to a core: taskset failed");
    }
}
