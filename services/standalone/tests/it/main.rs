//! The real binary: how it starts, what it answers, how it ends.

mod access;
mod apart;
mod connections;
mod endpoints;
mod reload;
mod server;
mod sizes;
mod sockets;
mod streams;
mod websocket;

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;

use gyre_ports::free_port;
use server::{Server, gyre, text};

type Outcome = Result<(), Box<dyn Error>>;

/// A publish whose body never comes to its end.
const STUCK: &[u8] = b"POST /api/publish HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{";

const PUBLISH: &str = "{\"channel\":\"news\",\"data\":{}}";

fn dev_config() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../deploy/dev/gyre.json")
}

/// A request that the server holds until its body is there.
fn stuck(server: &Server) -> Result<TcpStream, Box<dyn Error>> {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port))?;
    stream.write_all(STUCK)?;
    // The answer to a second connection tells that the first was accepted.
    server.get("/health")?;
    Ok(stream)
}

#[test]
fn operators_are_answered_and_sigterm_ends_it_cleanly() -> Outcome {
    let mut server = Server::start(&["--health.enabled", "--prometheus.enabled"])?;
    let address = format!("127.0.0.1:{}", server.port);
    let listening = server.line("listening").ok_or("no line for the address")?;
    assert_eq!(listening["address"], address.as_str());
    assert_eq!(listening["level"], "info");

    assert!(server.get("/health")?.ends_with("\r\n\r\n{}"));
    assert!(server.get("/ready")?.ends_with("{\"ready\":true}"));
    let metrics = server.get("/metrics")?;
    assert!(metrics.contains("gyre_node_build{version=\""), "{metrics}");
    assert!(
        metrics.contains("process_resident_memory_bytes "),
        "{metrics}"
    );

    server.signal("TERM")?;
    assert_eq!(server.wait()?, Some(0));
    server
        .line("stopped")
        .ok_or("does not say that it stopped")?;
    Ok(())
}

#[test]
fn without_a_file_it_serves_and_the_api_is_closed() -> Outcome {
    let mut server = Server::start(&[])?;
    let warnings = server.values("configuration", "warning");
    assert!(
        warnings
            .iter()
            .any(|warning| warning.contains("config.json")),
        "{warnings:?}"
    );
    assert!(
        warnings
            .iter()
            .any(|warning| warning.contains("http_api.key")),
        "{warnings:?}"
    );

    let refused = server.post("/api/publish", PUBLISH)?;
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
    let missing = server.get("/health")?;
    assert!(
        missing.starts_with("HTTP/1.1 404 "),
        "health is off by default: {missing}"
    );

    server.signal("INT")?;
    assert_eq!(server.wait()?, Some(0));
    Ok(())
}

#[test]
fn everything_that_is_wrong_is_told_and_the_exit_code_is_64() -> Outcome {
    let arguments = [
        "--http_server.port",
        "many",
        "--log.level",
        "loud",
        "--engine.type",
        "tape",
    ];
    let output = gyre(&arguments).output()?;
    assert_eq!(output.status.code(), Some(64));
    let told = text(&output.stderr);
    for (path, value) in [
        ("http_server.port", "many"),
        ("log.level", "loud"),
        ("engine.type", "tape"),
    ] {
        let line = told.lines().find(|line| line.contains(path));
        let line = line.ok_or_else(|| format!("nothing of {path}: {told}"))?;
        assert!(
            line.contains(value) && line.contains("\"level\":\"fatal\""),
            "{line}"
        );
    }
    Ok(())
}

#[test]
fn production_refuses_what_is_insecure() -> Outcome {
    let output = gyre(&["--client.insecure"])
        .env("GYRE_PRODUCTION", "true")
        .output()?;
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stderr).contains("client.insecure"));
    Ok(())
}

#[test]
fn insecure_modes_warn_at_each_start() -> Outcome {
    let server = Server::start(&["--client.insecure"])?;
    let warnings = server.values("configuration", "warning");
    assert!(
        warnings
            .iter()
            .any(|warning| warning.contains("client.insecure")),
        "{warnings:?}"
    );
    Ok(())
}

#[test]
fn a_second_signal_ends_it_at_once() -> Outcome {
    let mut server = Server::start(&["--health.enabled", "--http_api.insecure"])?;
    let _held = stuck(&server)?;
    server.signal("TERM")?;
    server.read_until("draining")?;
    server.signal("TERM")?;
    assert_eq!(server.wait()?, Some(1));
    server
        .line("second signal: exit without drain")
        .ok_or("does not say why")?;
    Ok(())
}

#[test]
fn what_does_not_end_within_the_timeout_is_dropped() -> Outcome {
    let mut server = Server::start(&["--health.enabled", "--http_api.insecure"])?;
    let mut held = stuck(&server)?;
    server.signal("TERM")?;
    assert_eq!(server.wait()?, Some(1));
    let mut rest = Vec::new();
    held.read_to_end(&mut rest)?;
    assert_eq!(rest, b"");
    Ok(())
}

#[test]
fn an_address_that_is_taken_is_named() -> Outcome {
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let port = taken.local_addr()?.port().to_string();
    let output = gyre(&["-a", "127.0.0.1", "-p", &port]).output()?;
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    assert!(
        told.contains(&format!("cannot listen on 127.0.0.1:{port}")),
        "{told}"
    );
    Ok(())
}

#[test]
fn the_configuration_for_development_works() -> Outcome {
    let path = dev_config();
    let path = path.to_str().ok_or("path is not text")?;
    let grpc = free_port()?.to_string();
    let mut server = Server::start(&["-c", path, "--grpc_api.port", &grpc])?;
    assert_eq!(server.values("listening", "address").len(), 2);
    let answer = server.post("/api/publish", PUBLISH)?;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    let answer = server.call("dev", "/api/publish", PUBLISH)?;
    assert!(answer.contains("\"offset\":1"), "{answer}");
    server.signal("TERM")?;
    assert_eq!(server.wait()?, Some(0));
    Ok(())
}

#[test]
fn the_configuration_for_development_is_valid() -> Outcome {
    let output = gyre(&["checkconfig", "--strict", "-c"])
        .arg(dev_config())
        .output()?;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert!(text(&output.stdout).ends_with("configuration is valid\n"));
    Ok(())
}

#[test]
fn checkconfig_tells_everything() -> Outcome {
    let file = server::directory()?.join("wrong.json");
    let wrong = "{\"http_server\":{\"port\":\"x\"},\"log\":{\"level\":\"loud\"},\"nothing\":1}";
    std::fs::write(&file, wrong)?;
    let output = gyre(&["checkconfig", "-c"]).arg(&file).output()?;
    assert_eq!(output.status.code(), Some(64));
    let told = text(&output.stdout);
    assert!(told.contains("error: http_server.port"), "{told}");
    assert!(told.contains("error: log.level"), "{told}");
    assert!(told.contains("warning: unknown option nothing"), "{told}");

    std::fs::write(&file, "{\"nothing\":1}")?;
    assert_eq!(
        gyre(&["checkconfig", "-c"])
            .arg(&file)
            .output()?
            .status
            .code(),
        Some(0)
    );
    let strict = gyre(&["checkconfig", "-s", "-c"]).arg(&file).output()?;
    assert_eq!(strict.status.code(), Some(64));
    assert!(text(&strict.stdout).contains("error: unknown option nothing"));

    let missing = gyre(&["checkconfig", "-c", "missing.json"]).output()?;
    assert_eq!(
        missing.status.code(),
        Some(64),
        "a file that was named has to be there"
    );
    Ok(())
}

#[test]
fn the_command_line_explains_itself() -> Outcome {
    let version = gyre(&["version"]).output()?;
    assert_eq!(version.status.code(), Some(0));
    assert_eq!(
        text(&version.stdout),
        format!("gyre {}\n", env!("CARGO_PKG_VERSION"))
    );

    let help = gyre(&["--help"]).output()?;
    assert_eq!(help.status.code(), Some(0));
    let told = text(&help.stdout);
    assert!(
        told.contains("--http_server.port") && told.contains("checkconfig"),
        "{told}"
    );

    let unknown = gyre(&["--colour"]).output()?;
    assert_eq!(unknown.status.code(), Some(64));
    assert!(text(&unknown.stderr).contains("--colour"));
    Ok(())
}

#[test]
fn the_process_id_is_kept_in_a_file_while_it_runs() -> Outcome {
    let file = server::directory()?.join("gyre.pid");
    let path = file.to_str().ok_or("path is not text")?;
    let mut server = Server::start(&["--pid_file", path])?;
    assert_eq!(std::fs::read_to_string(&file)?, server.id().to_string());
    server.signal("TERM")?;
    assert_eq!(server.wait()?, Some(0));
    assert!(!file.exists());
    Ok(())
}
