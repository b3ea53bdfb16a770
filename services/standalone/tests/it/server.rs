//! A process of the binary, stopped with the test that started it.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Lines, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::Value;

/// A server that is ready, and what it logged.
pub(crate) struct Server {
    pub(crate) port: u16,
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    seen: Vec<Value>,
}

impl Server {
    /// Starts it on a free port of loopback and waits until it is ready.
    pub(crate) fn start(arguments: &[&str]) -> Result<Self, Box<dyn Error>> {
        Self::of(gyre(arguments))
    }

    /// The same with a configuration.
    pub(crate) fn with(config: &Value) -> Result<Self, Box<dyn Error>> {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let id = std::process::id();
        let path = directory()?.join(format!("config-{id}-{number}.json"));
        std::fs::write(&path, config.to_string())?;
        let started = Self::start(&["-c", path.to_str().ok_or("path is not text")?]);
        std::fs::remove_file(&path)?;
        started
    }

    /// The same with a command that may have an environment.
    pub(crate) fn of(mut command: Command) -> Result<Self, Box<dyn Error>> {
        let port = gyre_ports::free_port()?;
        let mut child = command
            .args(["-a", "127.0.0.1", "-p", &port.to_string()])
            .env("GYRE_SHUTDOWN_TIMEOUT", "2s")
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = child.stderr.take().ok_or("stderr is not piped")?;
        let mut server = Self {
            port,
            child,
            log: BufReader::new(stderr).lines(),
            seen: Vec::new(),
        };
        server.read_until("ready")?;
        Ok(server)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Reads the log up to this message.
    pub(crate) fn read_until(&mut self, message: &str) -> Result<(), Box<dyn Error>> {
        while self.line(message).is_none() {
            let line = self.log.next().ok_or_else(|| {
                format!("the server ended without {message:?}: {:?}", self.seen)
            })??;
            self.seen.push(serde_json::from_str(&line)?);
        }
        Ok(())
    }

    /// Reads the log up to the next event with this message.
    pub(crate) fn read_next(&mut self, message: &str) -> Result<(), Box<dyn Error>> {
        self.seen.retain(|line| line["message"] != message);
        self.read_until(message)
    }

    /// The first event with this message, of those read so far.
    pub(crate) fn line(&self, message: &str) -> Option<&Value> {
        self.seen.iter().find(|line| line["message"] == message)
    }

    /// One field of all events with this message, of those read so far.
    pub(crate) fn values(&self, message: &str, field: &str) -> Vec<&str> {
        let lines = self.seen.iter().filter(|line| line["message"] == message);
        lines.filter_map(|line| line[field].as_str()).collect()
    }

    pub(crate) fn signal(&self, name: &str) -> io::Result<()> {
        let command = format!("kill -{name} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &command]).status()?;
        if status.success() {
            Ok(())
        } else {
            Err(io::Error::other(command))
        }
    }

    /// Reads the log to its end; then the exit code.
    pub(crate) fn wait(&mut self) -> Result<Option<i32>, Box<dyn Error>> {
        for line in self.log.by_ref() {
            self.seen.push(serde_json::from_str(&line?)?);
        }
        Ok(self.child.wait()?.code())
    }

    pub(crate) fn get(&self, path: &str) -> io::Result<String> {
        self.exchange(&format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        ))
    }

    /// Posts without a key.
    pub(crate) fn post(&self, path: &str, body: &str) -> io::Result<String> {
        self.exchange(&format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    /// Posts with a key.
    pub(crate) fn call(&self, key: &str, path: &str, body: &str) -> io::Result<String> {
        self.exchange(&format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nConnection: close\r\n\
            Content-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    /// Sends a request as it is, and reads until the server closes.
    pub(crate) fn exchange(&self, request: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The binary with these arguments, an empty environment and a directory without configuration.
pub(crate) fn gyre(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gyre"));
    command
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .current_dir(env!("CARGO_TARGET_TMPDIR"));
    command
}

/// A directory for files of a test.
pub(crate) fn directory() -> io::Result<PathBuf> {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("gyre-it");
    std::fs::create_dir_all(&directory)?;
    Ok(directory)
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
