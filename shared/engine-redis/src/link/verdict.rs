use redis::{RedisError, RedisResult, Value};

/// What an answer means for whoever asked.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It was done.
    Done(Value),
    /// It was not done: another node serves the partition.
    Moved(String),
    /// It was not done: another node serves it this time.
    Ask(String),
    /// It was not done: the server does not have the script.
    NoScript,
    /// It was not done; it may be in a moment.
    NotNow(String),
    /// It was not done, and another attempt would change nothing.
    Refused(String),
    /// Nobody knows whether it was done.
    Lost(String),
    /// The script failed, which it must not.
    Broken(String),
}

impl Verdict {
    pub(super) fn on(answer: RedisResult<Value>) -> Self {
        match answer.and_then(Value::extract_error) {
            Ok(value) => Self::Done(value),
            Err(error) => Self::on_error(&error),
        }
    }

    fn on_error(error: &RedisError) -> Self {
        let Some(code) = error.code() else {
            return Self::Lost(error.to_string());
        };
        let reason = || format!("{code} {}", error.detail().unwrap_or_default());
        let elsewhere = || error.redirect_node().map(|(address, _)| address.to_owned());
        match code {
            "MOVED" => elsewhere().map_or_else(|| Self::NotNow(reason()), Self::Moved),
            "ASK" => elsewhere().map_or_else(|| Self::NotNow(reason()), Self::Ask),
            "NOSCRIPT" => Self::NoScript,
            "TRYAGAIN" | "CLUSTERDOWN" | "LOADING" | "MASTERDOWN" | "READONLY" | "BUSY" => {
                Self::NotNow(reason())
            }
            "OOM" | "NOAUTH" | "WRONGPASS" | "NOPERM" | "NOREPLICAS" | "MISCONF" | "DENIED"
            | "UNKILLABLE" => Self::Refused(reason()),
            _ => Self::Broken(reason()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(text: &str) -> Verdict {
        let answer = redis::parse_redis_value(format!("-{text}\r\n").as_bytes());
        Verdict::on(answer)
    }

    #[test]
    fn an_error_says_whether_something_was_done() {
        assert!(
            matches!(on("MOVED 12182 127.0.0.1:7001"), Verdict::Moved(to) if to == "127.0.0.1:7001")
        );
        assert!(matches!(on("ASK 1 [::1]:7"), Verdict::Ask(to) if to == "[::1]:7"));
        assert!(matches!(
            on("NOSCRIPT No matching script."),
            Verdict::NoScript
        ));
        for text in [
            "TRYAGAIN Multiple keys request during rehashing of slot",
            "CLUSTERDOWN The cluster is down",
            "LOADING Redis is loading the dataset in memory",
            "READONLY You can't write against a read only replica. script: x, on @user_script:1.",
        ] {
            assert!(matches!(on(text), Verdict::NotNow(_)), "{text}");
        }
        for text in [
            "OOM command not allowed when used memory > 'maxmemory'.",
            "NOPERM this user has no permissions to run the 'evalsha' command",
            "NOREPLICAS Not enough good replicas to write.",
        ] {
            assert!(
                matches!(on(text), Verdict::Refused(reason) if reason.contains(text)),
                "{text}"
            );
        }
        assert!(matches!(on("ERR Error running script"), Verdict::Broken(_)));
    }

    #[test]
    fn a_lost_connection_says_nothing() {
        let lost: RedisError = std::io::Error::from(std::io::ErrorKind::BrokenPipe).into();
        assert!(matches!(Verdict::on(Err(lost)), Verdict::Lost(_)));
    }
}
