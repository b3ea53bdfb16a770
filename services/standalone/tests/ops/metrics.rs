//! The page of metrics is true, and the running binary shows nothing else.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::server::{Server, gyre, text};
use super::{Outcome, read_until};

/// Longest wait for what is counted.
const PATIENCE: Duration = Duration::from_secs(20);

/// Three publications over HTTP, and a recovery of them.
const MEASURED: [&str; 3] = [
    "gyre_client_recovered_publications_sum{channel_namespace=\"\"} 3\n",
    "gyre_client_recovered_publications_bucket{channel_namespace=\"\",le=\"2\"} 0\n",
    "gyre_node_incoming_http_requests_total{method=\"post\",path=\"/api/publish\",status=\"200\"} 3\n",
];

fn page() -> Result<String, Box<dyn Error>> {
    let output = gyre(&["metricsdoc"]).output()?;
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr).into())
    }
}

/// Type and labels of each metric of the page, by name.
fn documented(page: &str) -> BTreeMap<String, (String, Vec<String>)> {
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let metric = |row: &str| {
        let mut cells = row.split('|').map(|cell| cell.trim().replace('`', ""));
        let (_, name, kind) = (cells.next()?, cells.next()?, cells.next()?);
        let labels = cells.next()?;
        let labels = labels.split(", ").filter(|label| !label.is_empty());
        Some((name, (kind, labels.map(str::to_owned).collect())))
    };
    rows.filter_map(metric).collect()
}

#[test]
fn the_committed_page_is_that_of_the_binary() -> Outcome {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/metrics.md");
    let page = page()?;
    #[expect(
        clippy::disallowed_methods,
        reason = "a switch of the tests, no configuration"
    )]
    if std::env::var("GYRE_UPDATE").is_ok() {
        std::fs::write(&path, &page)?;
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == page,
        "docs/reference/metrics.md is out of date; GYRE_UPDATE=1 writes:\n{page}"
    );
    Ok(())
}

#[test]
fn what_is_served_is_documented_with_its_type_and_labels() -> Outcome {
    let documented = documented(&page()?);
    let server = Server::start(&["--prometheus.enabled", "--http_api.insecure"])?;
    server.post("/api/publish", "{\"channel\":\"news\",\"data\":{}}")?;
    server.post("/api/publish", "{\"channel\":\"none:news\",\"data\":{}}")?;
    let served = server.get("/metrics")?;
    let mut seen = 0;
    for line in served.lines() {
        if let Some(typed) = line.strip_prefix("# TYPE ") {
            let (name, kind) = typed.split_once(' ').ok_or("no type")?;
            let (expected, _) = documented
                .get(name)
                .ok_or_else(|| format!("{name} is new"))?;
            assert_eq!(kind, expected, "{name}");
            seen += 1;
        } else if let Some((series, _)) = line.split_once('}').filter(|_| !line.starts_with('#')) {
            let (name, labels) = series.split_once('{').ok_or("no labels")?;
            let bare = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| name.strip_suffix(end));
            let (_, expected) = documented
                .get(name)
                .or_else(|| documented.get(bare?))
                .ok_or_else(|| format!("{name} is new"))?;
            for label in labels
                .split("\",")
                .filter_map(|label| label.split('=').next())
            {
                let is_known = label == "le" || expected.iter().any(|known| known == label);
                assert!(is_known, "{name} has a label {label}");
            }
        }
    }
    assert!(seen > 20, "{served}");
    for name in [
        "gyre_node_num_clients",
        "gyre_node_build",
        "gyre_api_command_duration_seconds_histogram",
        "gyre_api_command_errors_total",
        "gyre_node_messages_sent_count",
    ] {
        assert!(documented.contains_key(name), "{name}");
    }
    Ok(())
}

#[test]
fn the_prefix_can_be_that_of_existing_dashboards() -> Outcome {
    let config = super::server::directory()?.join("prefix.json");
    std::fs::write(
        &config,
        r#"{"prometheus":{"enabled":true,"namespace":"centrifugo"}}"#,
    )?;
    let server = Server::start(&["-c", config.to_str().ok_or("path is not text")?])?;
    let served = server.get("/metrics")?;
    assert!(
        served.contains("\ncentrifugo_node_num_clients 0\n"),
        "{served}"
    );
    assert!(!served.contains("\ngyre_"));
    Ok(())
}

#[test]
fn what_costs_something_is_measured_if_it_is_said() -> Outcome {
    let recovery = "{\"id\":1,\"connect\":{}}\n\
        {\"id\":2,\"subscribe\":{\"channel\":\"news\",\"recover\":true,\"epoch\":\"";
    for is_wanted in [false, true] {
        let config = serde_json::json!({
            "client": {"insecure": true},
            "http_api": {"insecure": true},
            "http_stream": {"enabled": true},
            "channel": {"without_namespace": {
                "history_size": 10, "history_ttl": "60s", "force_recovery": true,
            }},
            "prometheus": {
                "enabled": true,
                "instrument_http_handlers": is_wanted,
                "recovered_publications_histogram": is_wanted,
            },
        });
        let server = Server::with(&config)?;
        let mut epoch = String::new();
        for _ in 0..3 {
            let answer = server.post("/api/publish", "{\"channel\":\"news\",\"data\":{}}")?;
            let (_, rest) = answer.split_once("\"epoch\":\"").ok_or("no epoch")?;
            epoch = rest.split('"').next().unwrap_or_default().to_owned();
        }
        let body = format!("{recovery}{epoch}\"}}}}");
        let mut stream = TcpStream::connect(("127.0.0.1", server.port))?;
        write!(
            stream,
            "POST /connection/http_stream HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        read_until(&mut stream, "\"recovered\":true")?;

        // What is observed is counted after it was answered.
        let started = Instant::now();
        let is_counted = |served: &str| MEASURED.iter().all(|line| served.contains(line));
        let mut served = server.get("/metrics")?;
        while is_wanted && !is_counted(&served) {
            assert!(started.elapsed() < PATIENCE, "{served}");
            served = server.get("/metrics")?;
        }
        let counted = MEASURED.iter().filter(|line| served.contains(**line));
        assert_eq!(counted.count(), if is_wanted { MEASURED.len() } else { 0 });
    }
    Ok(())
}
