//! The page of metrics is true, and the running binary shows nothing else.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;

use super::Outcome;
use super::server::{Server, gyre, text};

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
