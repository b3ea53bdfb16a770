//! A network of a test's own, in which ways can be cut.
//!
//! A test that wants one runs once more, as a process in a network namespace that has nothing but
//! loopback. In there every Redis node has an address of its own (127.0.1.0/24), and every process of
//! the suite a group of its own, by which its packets are known. What is cut vanishes in both
//! directions: connections stay open and hang.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output, Stdio};

use crate::servers::Cluster;

/// Tells a test that it is in a network of its own.
const INSIDE: &str = "GYRE_E2E_NETWORK";

/// Addresses of Redis nodes.
const REDIS: &str = "127.0.1.0/24";

/// The table whose rules are the cuts.
const TABLE: &str = "gyre_e2e";

/// What became of a test that wants a network of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Network {
    /// This is the run inside.
    Own,
    /// It ran inside, and passed.
    Done,
    /// There is none to be had.
    None,
}

/// Whether this process is inside.
pub(crate) fn is_own() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Runs the test of this name in a network of its own, unless it is in one. Says so if there is none.
pub(crate) fn enter(test: &str) -> Network {
    if is_own() {
        return Network::Own;
    }
    if let Err(reason) = is_to_be_had() {
        println!("SKIPPED: {test}: no network of its own: {reason}");
        return Network::None;
    }
    let mut command = inside("exec \"$0\" \"$@\"");
    command.arg(std::env::current_exe().unwrap());
    command.args(["--ignored", "--nocapture", "--exact", test]);
    let mut child = command
        .env(INSIDE, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stdout.take().unwrap()).lines();
    // Who counts results is to count it once.
    let is_result = |line: &String| line.starts_with("test result:");
    for line in said.map_while(Result::ok).filter(|line| !is_result(line)) {
        println!("{line}");
    }
    let has_passed = child.wait().unwrap().success();
    assert!(has_passed, "{test} failed in a network of its own");
    Network::Done
}

/// A shell in a new network, with the table of cuts.
fn inside(script: &str) -> Command {
    let table = format!("table inet {TABLE}");
    let prepare = format!(
        "ip link set lo up && nft 'add {table}; \
         add chain inet {TABLE} own {{ type filter hook output priority -1; }}; \
         add chain inet {TABLE} cut {{ type filter hook output priority 0; }}'"
    );
    let mut command = Command::new("unshare");
    command.args(["--net", "--", "sh", "-c"]);
    command.arg(format!("{prepare} && {script}"));
    command
}

fn is_to_be_had() -> Result<(), String> {
    // Marks of connections are the part that a kernel may lack.
    let mark = format!("nft add rule inet {TABLE} own meta skgid 1 ct mark set 1");
    let output = inside(&mark)
        .output()
        .map_err(|error| format!("unshare: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(said(&output)),
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

/// A cluster whose nodes have an address each.
pub(crate) async fn cluster() -> Cluster {
    Cluster::start_at(|index| format!("127.0.1.{}", index + 1), &[]).await
}

/// Makes a process known by this number.
pub(crate) fn mark(command: &mut Command, number: u16) {
    if is_own() {
        command.gid(number.into());
    }
}

/// Nobody reaches this address, and it reaches nobody.
pub(crate) fn isolate(address: &str) {
    cut(&format!("ip saddr {address} ip daddr != {address}"));
    cut(&format!("ip daddr {address} ip saddr != {address}"));
}

/// A Redis node and the others do not reach each other; everybody else reaches all of them.
pub(crate) fn part_from_peers(address: &str) {
    let (there, back) = (format!("ip saddr {address}"), format!("ip daddr {address}"));
    cut(&format!("{there} ip daddr {REDIS} ip daddr != {address}"));
    cut(&format!("{back} ip saddr {REDIS} ip saddr != {address}"));
}

/// A process that was marked with this number and Redis do not reach each other.
pub(crate) fn part_from_redis(number: u16) {
    nft(&format!("own meta skgid {number} ct mark set {number}"));
    cut(&format!("ct mark {number} ip daddr {REDIS}"));
    cut(&format!("ct mark {number} ip saddr {REDIS}"));
}

/// Nobody reaches this port.
pub(crate) fn close(port: u16) {
    cut(&format!("tcp dport {port}"));
    cut(&format!("tcp sport {port}"));
}

/// Everybody reaches everybody again.
pub(crate) fn heal() {
    run(&["flush", "chain", "inet", TABLE, "cut"]);
}

fn cut(packets: &str) {
    nft(&format!("cut {packets} drop"));
}

fn nft(rule: &str) {
    let mut words = vec!["add", "rule", "inet", TABLE];
    words.extend(rule.split(' '));
    run(&words);
}

fn run(words: &[&str]) {
    let output = Command::new("nft").args(words).output().unwrap();
    assert!(output.status.success(), "nft {words:?}: {}", said(&output));
}
