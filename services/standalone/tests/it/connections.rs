//! Connections that are found by a condition.

#![expect(clippy::indexing_slicing, reason = "a panic is a failed test")]

use std::collections::BTreeSet;
use std::error::Error;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::Outcome;
use crate::server::Server;
use crate::websocket::Client;

/// A server that looks at claims and not at signatures.
fn start() -> Result<Server, Box<dyn Error>> {
    Server::with(&json!({
        "http_api": {"insecure": true},
        "client": {"insecure_skip_token_signature_verify": true},
        "channel": {"without_namespace": {"allow_subscribe_for_client": true}},
    }))
}

fn connect(server: &Server, claims: &Value) -> Result<Client, Box<dyn Error>> {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = part(&json!({"alg": "HS256", "typ": "JWT"}));
    let token = format!("{header}.{}.AAAA", part(claims));
    let (mut client, _) = Client::open(server.port, "")?;
    let connect = json!({"id": 1, "connect": {"token": token, "name": "web", "version": "1.0"}});
    client.say(&connect.to_string())?;
    let reply = String::from_utf8(client.expect_frame()?.payload)?;
    match reply.contains("\"client\"") {
        true => Ok(client),
        false => Err(reply.into()),
    }
}

fn ask(server: &Server, request: &Value) -> Result<Value, Box<dyn Error>> {
    let answer = server.post("/api/connections", &request.to_string())?;
    let (_, body) = answer.split_once("\r\n\r\n").ok_or("no body")?;
    Ok(serde_json::from_str(body)?)
}

/// The users of what an answer has.
fn users(answer: &Value) -> Vec<String> {
    let connections = answer["result"]["connections"].as_object();
    let users = connections.into_iter().flat_map(|all| all.values());
    let mut users: Vec<_> = users
        .map(|one| one["user"].as_str().unwrap_or_default().to_owned())
        .collect();
    users.sort();
    users
}

#[test]
fn connections_are_found_by_an_expression() -> Outcome {
    let server = start()?;
    let mut ann = connect(
        &server,
        &json!({"sub": "ann", "meta": {"level": 3}, "labels": {"plan": "pro"}}),
    )?;
    ann.say("{\"id\":2,\"subscribe\":{\"channel\":\"news\"}}")?;
    ann.expect_frame()?;
    let _bob = connect(
        &server,
        &json!({"sub": "bob", "meta": {"level": 9}, "labels": {"plan": "free"}}),
    )?;
    let _eve = connect(&server, &json!({"sub": "eve"}))?;
    for (expression, expected) in [
        ("true", vec!["ann", "bob", "eve"]),
        ("user in ['ann', 'eve']", vec!["ann", "eve"]),
        ("meta.level > 3", vec!["bob"]),
        (
            "labels.plan == 'pro' && app_name == 'web' && app_version == '1.0'",
            vec!["ann"],
        ),
        ("!has(labels.plan)", vec!["eve"]),
        ("channels.exists(c, c.startsWith('ne'))", vec!["ann"]),
        (
            "transport == 'websocket' && protocol == 'json' && connected_at > 1700000000000",
            vec!["ann", "bob", "eve"],
        ),
        ("client == ''", vec![]),
    ] {
        let answer = ask(&server, &json!({"expression": expression}))?;
        assert_eq!(users(&answer), expected, "{expression}: {answer}");
    }
    // With what else is asked for.
    let request = json!({"expression": "true", "user": "bob"});
    assert_eq!(users(&ask(&server, &request)?), ["bob"]);
    let filter = json!({"key": "plan", "cmp": "ex"});
    let request = json!({"expression": "user != 'ann'", "label_filter": filter});
    assert_eq!(users(&ask(&server, &request)?), ["bob"]);
    Ok(())
}

#[test]
fn pages_of_what_an_expression_finds_are_everything_once() -> Outcome {
    let server = start()?;
    let clients: Vec<Client> = (0..20)
        .map(|number| {
            connect(
                &server,
                &json!({"sub": number.to_string(), "meta": {"n": number}}),
            )
        })
        .collect::<Result<_, _>>()?;
    let mut request = json!({"expression": "meta.n % 2 == 0", "limit": 3});
    let mut found = Vec::new();
    loop {
        let answer = ask(&server, &request)?;
        let page = users(&answer);
        assert!(page.len() <= 3, "{answer}");
        found.extend(page);
        let cursor = answer["result"]["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
        request["cursor"] = cursor;
    }
    assert_eq!(found.len(), clients.len() / 2);
    assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), found.len());
    Ok(())
}

#[test]
fn an_expression_that_is_none_is_explained() -> Outcome {
    let server = start()?;
    for (expression, reason) in [
        ("user ==", "not an expression"),
        ("usr == 'ann'", "there is no `usr`; there are user, client,"),
        ("user.matches('a')", "there is no function `matches`"),
        ("1 + 1", "the expression has to be true or false"),
        (
            "channels.all(a, channels.all(b, a == b))",
            "cannot stand within each other",
        ),
        (&"(".repeat(4_000), "nested"),
        (&" ".repeat(4_097), "at most 4096 bytes"),
    ] {
        let answer = ask(&server, &json!({"expression": expression}))?;
        assert_eq!(answer["error"]["code"], 107, "{answer}");
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(message.starts_with("bad request: "), "{message}");
        assert!(message.contains(reason), "{message}");
    }
    Ok(())
}
