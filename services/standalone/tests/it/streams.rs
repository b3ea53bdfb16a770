//! Streams over plain HTTP, as `curl` and `EventSource` see them.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::Outcome;
use crate::server::{self, Server};

const PATIENCE: Duration = Duration::from_secs(5);

const CONNECT: &str = "/connection/uni_sse?cf_connect=%7B%22subs%22%3A%7B%22news%22%3A%7B%7D%7D%7D";

struct Events(BufReader<TcpStream>);

#[derive(Debug)]
struct Event {
    /// `None`: the event has no id, so the one before stays.
    id: Option<String>,
    data: Value,
}

impl Events {
    fn open(server: &Server, last_id: Option<&str>) -> Result<Self, Box<dyn Error>> {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let resumed = last_id.map(|id| format!("Last-Event-ID: {id}\r\n"));
        let resumed = resumed.unwrap_or_default();
        let request = format!("GET {CONNECT} HTTP/1.1\r\nHost: x\r\n{resumed}\r\n");
        stream.write_all(request.as_bytes())?;
        Ok(Self(BufReader::new(stream)))
    }

    /// The next event, whatever lies between: the head, sizes of chunks, empty lines.
    fn next(&mut self) -> Result<Event, Box<dyn Error>> {
        let mut id = None;
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line)? == 0 {
                return Err("the stream has ended".into());
            }
            let line = line.trim_end();
            if let Some(value) = line.strip_prefix("id:") {
                id = Some(value.trim_start().to_owned());
            }
            if let Some(data) = line.strip_prefix("data: ") {
                let data = serde_json::from_str(data)?;
                return Ok(Event { id, data });
            }
        }
    }
}

fn start(name: &str, event_ids: bool) -> Result<Server, Box<dyn Error>> {
    let file = server::directory()?.join(format!("{name}.json"));
    let config = serde_json::json!({
        "client": {"insecure": true},
        "http_api": {"insecure": true},
        "health": {"enabled": true},
        "uni_sse": {"enabled": true, "event_ids": event_ids},
        "channel": {"without_namespace": {
            "history_size": 10, "history_ttl": "60s", "force_recovery": true,
        }},
    });
    std::fs::write(&file, config.to_string())?;
    Server::start(&["-c", file.to_str().ok_or("path is not text")?])
}

fn publish(server: &Server, n: u32) -> Outcome {
    let body = format!("{{\"channel\":\"news\",\"data\":{n}}}");
    server.post("/api/publish", &body)?;
    Ok(())
}

#[test]
fn an_event_source_goes_on_where_its_last_event_was() -> Outcome {
    let server = start("event-ids", true)?;
    let mut events = Events::open(&server, None)?;
    let connect = events.next()?;
    assert!(connect.data["connect"]["subs"]["news"]["recoverable"] == true);
    let mut last = connect.id.ok_or("no id")?;
    for n in 1..=2 {
        publish(&server, n)?;
        let event = events.next()?;
        assert_eq!(event.data["pub"]["data"], n);
        let id = event.id.ok_or("no id")?;
        assert_ne!(id, last);
        last = id;
    }
    drop(events);

    publish(&server, 3)?;
    publish(&server, 4)?;
    let mut events = Events::open(&server, Some(&last))?;
    let connect = events.next()?;
    let news = &connect.data["connect"]["subs"]["news"];
    assert_eq!(news["recovered"], true);
    let missed: Vec<&Value> = news["publications"]
        .as_array()
        .ok_or("no publications")?
        .iter()
        .map(|publication| &publication["data"])
        .collect();
    assert_eq!(missed, [3, 4]);
    // The id of the connect is behind what was recovered.
    drop(events);
    let mut events = Events::open(&server, connect.id.as_deref())?;
    let news = &events.next()?.data["connect"]["subs"]["news"];
    assert_eq!(
        (&news["recovered"], &news["publications"]),
        (&true.into(), &Value::Null)
    );

    // An id that is none of ours changes nothing.
    let mut events = Events::open(&server, Some("42"))?;
    let news = &events.next()?.data["connect"]["subs"]["news"];
    assert_eq!(news["was_recovering"], Value::Null);
    Ok(())
}

#[test]
fn without_the_option_events_have_no_ids() -> Outcome {
    let server = start("no-event-ids", false)?;
    let mut events = Events::open(&server, None)?;
    assert_eq!(events.next()?.id, None);
    publish(&server, 1)?;
    assert_eq!(events.next()?.id, None);
    Ok(())
}
