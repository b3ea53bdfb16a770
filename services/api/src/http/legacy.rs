//! The legacy endpoint: several commands in one body, each with its id and the name or number of its
//! method. Old libraries and admin interfaces use it.

use bytes::Bytes;
use gyre_mapping::write;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::Error;
use crate::http::{Answer, Unparsed, call_method};
use crate::methods::{MethodId, Methods};

/// One command of the body.
#[derive(Deserialize)]
struct Command<'a> {
    #[serde(default)]
    id: u32,
    #[serde(borrow, default)]
    method: Option<&'a RawValue>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
}

/// Runs the commands one after the other. An answer per line, in their order.
///
/// # Errors
///
/// [`Unparsed`] for the whole body if a command is malformed or names no method; those before it
/// have run.
pub(crate) async fn call(methods: &Methods, body: &Bytes) -> Result<Answer, Unparsed> {
    let mut lines = Vec::new();
    for command in serde_json::Deserializer::from_slice(body).into_iter() {
        let command: Command<'_> = command.map_err(|_malformed| Unparsed)?;
        if !lines.is_empty() {
            lines.push(b'\n');
        }
        lines.push(b'{');
        if command.id > 0 {
            lines.extend_from_slice(b"\"id\":");
            write(&command.id, &mut lines);
            lines.push(b',');
        }
        match answer(methods, body, &command).await? {
            // An answer is an object with one member: the line goes on after its brace.
            Answer::Done(json) => lines.extend(json.into_iter().skip(1)),
            Answer::Refused(error) => {
                lines.extend_from_slice(b"\"error\":");
                write(&error.to_message(), &mut lines);
                lines.push(b'}');
            }
        }
    }
    if lines.is_empty() {
        Err(Unparsed)
    } else {
        Ok(Answer::Done(lines))
    }
}

async fn answer(
    methods: &Methods,
    body: &Bytes,
    command: &Command<'_>,
) -> Result<Answer, Unparsed> {
    let Some(method) = method(command)? else {
        return Ok(Answer::Refused(Error::NotFound));
    };
    let Some(params) = command.params else {
        return Ok(Answer::Refused(Error::BadRequest));
    };
    let params = body.slice_ref(params.get().as_bytes());
    let answer = call_method(methods, method, &params).await;
    Ok(answer.unwrap_or(Answer::Refused(Error::BadRequest)))
}

/// The method by its name in any case, or by its number; none if no method has the number.
fn method(command: &Command<'_>) -> Result<Option<MethodId>, Unparsed> {
    let given = command.method.map_or("0", RawValue::get);
    if let Ok(number) = given.parse::<u32>() {
        let with_number = |method: &&MethodId| method.legacy_number() == number;
        return Ok(MethodId::ALL.iter().find(with_number).copied());
    }
    let name: String = serde_json::from_str(given).map_err(|_malformed| Unparsed)?;
    let with_name = |method: &&MethodId| method.name().eq_ignore_ascii_case(&name);
    MethodId::ALL
        .iter()
        .find(with_name)
        .copied()
        .map(Some)
        .ok_or(Unparsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_have_a_name_and_a_number() {
        for (json, expected) in [
            (r#"{"method":"publish"}"#, Ok(Some(MethodId::Publish))),
            (
                r#"{"method":"Presence_STATS"}"#,
                Ok(Some(MethodId::PresenceStats)),
            ),
            (r#"{"method":5}"#, Ok(Some(MethodId::PresenceStats))),
            ("{}", Ok(Some(MethodId::Publish))),
            (r#"{"method":13}"#, Ok(None)),
            (r#"{"method":999}"#, Ok(None)),
            (r#"{"method":"batch"}"#, Err(Unparsed)),
            (r#"{"method":"nope"}"#, Err(Unparsed)),
            (r#"{"method":-1}"#, Err(Unparsed)),
        ] {
            let command: Command<'_> = serde_json::from_str(json).unwrap();
            assert_eq!(method(&command), expected, "{json}");
        }
    }

    #[test]
    fn no_two_methods_have_one_number() {
        let mut numbers: Vec<u32> = MethodId::ALL
            .iter()
            .map(|method| method.legacy_number())
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), MethodId::COUNT);
    }
}
