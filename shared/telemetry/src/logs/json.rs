//! One JSON object a line: `level`, `time`, `message`, then the fields of spans and event.

use std::error::Error;
use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use super::FATAL;

/// Formats an event as one line.
pub(super) struct Lines;

/// Formats fields as members of an object that is open already: `,"name":value` each.
pub(super) struct Fields;

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        write!(writer, "{{\"level\":\"{}\",\"time\":\"", level(event))?;
        SystemTime.format_time(&mut writer)?;
        writer.write_char('"')?;
        for span in context.event_scope().into_iter().flatten() {
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>() {
                writer.write_str(&fields.fields)?;
            }
        }
        context.format_fields(writer.by_ref(), event)?;
        writer.write_str("}\n")
    }
}

fn level(event: &Event<'_>) -> &'static str {
    let metadata = event.metadata();
    if metadata.target() == FATAL {
        return "fatal";
    }
    match *metadata.level() {
        Level::TRACE => "trace",
        Level::DEBUG => "debug",
        Level::INFO => "info",
        Level::WARN => "warn",
        Level::ERROR => "error",
    }
}

impl<'w> FormatFields<'w> for Fields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut members = Members {
            out: &mut writer,
            outcome: Ok(()),
        };
        fields.record(&mut members);
        members.outcome
    }
}

struct Members<'a, 'w> {
    out: &'a mut Writer<'w>,
    outcome: fmt::Result,
}

impl Members<'_, '_> {
    fn member(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        if self.outcome.is_ok() {
            self.outcome = write!(self.out, ",\"{}\":{value}", field.name());
        }
    }

    fn text(&mut self, field: &Field, text: &str) {
        match serde_json::to_string(text) {
            Ok(quoted) => self.member(field, format_args!("{quoted}")),
            Err(_) => self.outcome = Err(fmt::Error),
        }
    }
}

impl Visit for Members<'_, '_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.member(field, format_args!("{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.member(field, format_args!("{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.member(field, format_args!("{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.member(field, format_args!("{value}"));
        } else {
            self.text(field, &value.to_string());
        }
    }

    /// The error and what caused it, as one text.
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        self.text(field, &text);
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use parking_lot::Mutex;
    use serde_json::{Value, json};
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines_of(log: impl FnOnce()) -> Vec<Value> {
        let sink = Sink::default();
        let writer = sink.clone();
        let layer = tracing_subscriber::fmt::layer()
            .event_format(Lines)
            .fmt_fields(Fields)
            .with_writer(move || writer.clone());
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, log);
        let bytes = sink.0.lock();
        let text = String::from_utf8_lossy(&bytes);
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap_or(Value::Null))
            .collect()
    }

    #[test]
    fn fields_keep_their_type_and_texts_are_escaped() {
        let lines = lines_of(|| {
            tracing::info!(
                user = "a\"b\n",
                port = 8000,
                ratio = f64::NAN,
                on = true,
                "said \"x\""
            );
        });
        let line = &lines[0];
        assert_eq!(line["level"], "info");
        assert_eq!(line["message"], "said \"x\"");
        assert_eq!(line["user"], "a\"b\n");
        assert_eq!(line["port"], 8000);
        assert_eq!(line["on"], true);
        assert_eq!(line["ratio"], "NaN");
        let time = line["time"].as_str().unwrap();
        assert!(time.ends_with('Z') && time.contains('T'), "{time}");
    }

    #[test]
    fn spans_lend_their_fields() {
        let lines = lines_of(|| {
            let span = tracing::info_span!("conn", transport = "websocket");
            span.in_scope(|| tracing::warn!("slow"));
        });
        assert_eq!(lines[0]["transport"], "websocket");
        assert_eq!(lines[0]["message"], "slow");
    }

    #[test]
    fn an_error_brings_its_causes() {
        #[derive(Debug, thiserror::Error)]
        #[error("engine is down")]
        struct Down(#[source] io::Error);
        let down = Down(io::Error::other("no route"));
        let lines = lines_of(|| {
            tracing::error!(target: FATAL, error = &down as &dyn Error, "stopped");
        });
        assert_eq!(lines[0]["error"], json!("engine is down: no route"));
        assert_eq!(lines[0]["level"], "fatal");
    }
}
