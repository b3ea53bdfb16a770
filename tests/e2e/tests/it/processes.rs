//! Processes of the suite.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::sync::mpsc;
use std::time::Duration;

use gyre_ports::free_port;
use serde_json::Value;

use crate::network;

/// Longest start. Redis may be failing over meanwhile.
const START_MAX: Duration = Duration::from_secs(60);

/// One process, killed with the test.
pub(crate) struct Process {
    binary: &'static str,
    pub(crate) port: u16,
    /// Where a gateway is asked by other processes.
    pub(crate) rpc_port: u16,
    config: PathBuf,
    child: Option<Child>,
}

impl Process {
    /// Writes its configuration and starts it.
    pub(crate) fn start(
        binary: &'static str,
        directory: &Path,
        name: &str,
        config: &Value,
    ) -> Self {
        let mut process = Self::prepare(binary, directory, name, config);
        process.start_again();
        process
    }

    /// Writes its configuration.
    pub(crate) fn prepare(
        binary: &'static str,
        directory: &Path,
        name: &str,
        config: &Value,
    ) -> Self {
        let file = directory.join(format!("{name}.json"));
        let (port, rpc_port) = (free_port().unwrap(), free_port().unwrap());
        let mut config = config.clone();
        config["http_server"] = serde_json::json!({"address": "127.0.0.1", "port": port});
        config["node"] = serde_json::json!({"name": name});
        config["gateway"] = serde_json::json!({"rpc": {"address": "127.0.0.1", "port": rpc_port}});
        std::fs::write(&file, config.to_string()).unwrap();
        Self {
            binary,
            port,
            rpc_port,
            config: file,
            child: None,
        }
    }

    /// Starts it with what it had, and waits until it is ready.
    pub(crate) fn start_again(&mut self) {
        let is_ready = self.spawn().recv_timeout(START_MAX);
        assert!(
            is_ready.is_ok(),
            "{} is not ready: {}",
            self.binary,
            self.log()
        );
    }

    /// Starts it; what is returned receives when it is ready, and ends with the process.
    fn spawn(&mut self) -> mpsc::Receiver<()> {
        let log = self.config.with_extension("log");
        let mut command = Command::new(binary(self.binary));
        command.arg("-c").arg(&self.config).env_clear();
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        network::mark(&mut command, self.port);
        let mut child = command.spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        self.child = Some(child);
        let (tell, ready) = mpsc::channel();
        // Reads to the end, for a pipe that nobody reads stops the process.
        std::thread::spawn(move || {
            let mut text = String::new();
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let is_ready = line.contains("\"message\":\"ready\"");
                text.push_str(&line);
                text.push('\n');
                drop(std::fs::write(&log, &text));
                if is_ready {
                    // The test may have gone on without it.
                    let _ = tell.send(());
                }
            }
        });
        ready
    }

    /// Starts it, for it to end without ever being ready: the exit code.
    pub(crate) fn fail(mut self) -> (Option<i32>, String) {
        let ready = self.spawn().recv_timeout(START_MAX);
        assert_eq!(ready, Err(mpsc::RecvTimeoutError::Disconnected));
        (self.wait(), self.log())
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }

    /// Waits for its end: the exit code.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        let mut child = self.child.take()?;
        child.wait().ok()?.code()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.config.with_extension("log")).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A binary of the suite: one that was built already (`GYRE_E2E_BINARIES` is their directory), or one
/// of this build, which lies beside the directory of the test's own.
fn binary(name: &str) -> PathBuf {
    if let Some(directory) = std::env::var_os("GYRE_E2E_BINARIES") {
        return Path::new(&directory).join(name);
    }
    build();
    let own = std::env::current_exe().unwrap();
    own.parent().and_then(Path::parent).unwrap().join(name)
}

/// Builds the binaries once: a test of this package does not make cargo build those of others.
fn build() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--bins"]);
        cargo.args(["-p", "gyre-gateway", "-p", "gyre-api"]);
        cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        // What cargo says of this package to its tests would make it build others again: the scripts
        // of some dependencies look at it.
        for (name, _) in std::env::vars_os() {
            let said = name.to_string_lossy();
            if said.starts_with("CARGO_PKG_") || said.starts_with("CARGO_MANIFEST_") {
                cargo.env_remove(&name);
            }
        }
        assert!(cargo.status().unwrap().success());
    });
}
