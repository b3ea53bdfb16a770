//! Who is kept out, through the real binary: live connections, new ones, refreshes, restarts.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::Outcome;
use crate::server::{Server, directory};
use crate::websocket::{Client, TEXT};

const KEY: &str = "key";

/// A server that looks at claims and not at signatures; `more` is joined to its configuration.
fn start(name: &str, more: &[(&str, Value)]) -> Result<Server, Box<dyn std::error::Error>> {
    let Value::Object(mut config) = json!({
        "http_api": {"key": KEY},
        "client": {"insecure_skip_token_signature_verify": true},
        "channel": {"without_namespace": {"allow_subscribe_for_client": false}},
    }) else {
        return Err("an object is an object".into());
    };
    for (section, value) in more {
        config.insert((*section).to_owned(), value.clone());
    }
    let path = directory()?.join(format!("access-{name}.json"));
    std::fs::write(&path, Value::from(config).to_string())?;
    Server::start(&["-c", &path.display().to_string()])
}

/// A token whose signature nobody looks at.
fn token(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = part(&json!({"alg": "HS256", "typ": "JWT"}));
    format!("{header}.{}.AAAA", part(claims))
}

/// Calls the server API, which has to do it.
fn call(server: &Server, method: &str, body: &Value) -> Outcome {
    let answer = server.call(KEY, &format!("/api/{method}"), &body.to_string())?;
    match answer.ends_with("{\"result\":{}}") {
        true => Ok(()),
        false => Err(format!("{method}: {answer}").into()),
    }
}

/// Connects by a token; the reply comes beside.
fn connect(server: &Server, claims: &Value) -> io::Result<(Client, Value)> {
    let (mut client, _) = Client::open(server.port, "")?;
    let reply = ask(
        &mut client,
        &json!({"id": 1, "connect": {"token": token(claims)}}),
    )?;
    Ok((client, reply))
}

fn connected(server: &Server, claims: &Value) -> io::Result<Client> {
    let (client, reply) = connect(server, claims)?;
    match reply.get("connect").is_some_and(Value::is_object) {
        true => Ok(client),
        false => Err(io::Error::other(reply.to_string())),
    }
}

fn ask(client: &mut Client, command: &Value) -> io::Result<Value> {
    client.say(&command.to_string())?;
    next(client)
}

/// The next message, which a close frame is not.
fn next(client: &mut Client) -> io::Result<Value> {
    let frame = client.expect_frame()?;
    if frame.first != TEXT {
        return Ok(json!({"close": frame.close().map(|(code, _)| code)}));
    }
    let line = frame.payload.split(|byte| *byte == b'\n').next();
    Ok(serde_json::from_slice(line.unwrap_or_default())?)
}

#[test]
fn a_blocked_user_is_out_until_it_is_unblocked() -> Outcome {
    let server = start("block", &[])?;
    let (ann, bob) = (json!({"sub": "ann"}), json!({"sub": "bob"}));
    let mut first = connected(&server, &ann)?;
    let mut second = connected(&server, &ann)?;
    let mut other = connected(&server, &bob)?;
    call(&server, "block_user", &json!({"user": "ann"}))?;
    assert_eq!(first.closed()?.0, 3507);
    assert_eq!(second.closed()?.0, 3507);
    assert_eq!(connect(&server, &ann)?.1, json!({"close": 3507}));
    let refreshed = ask(
        &mut other,
        &json!({"id": 2, "refresh": {"token": token(&bob)}}),
    )?;
    assert!(refreshed["refresh"].is_object(), "{refreshed}");
    call(&server, "unblock_user", &json!({"user": "ann"}))?;
    connected(&server, &ann)?;
    // What was over before it began cuts nobody off.
    call(
        &server,
        "block_user",
        &json!({"user": "bob", "expire_at": 1}),
    )?;
    connected(&server, &bob)?;
    let refreshed = ask(
        &mut other,
        &json!({"id": 3, "refresh": {"token": token(&bob)}}),
    )?;
    assert!(refreshed["refresh"].is_object(), "{refreshed}");
    Ok(())
}

#[test]
fn a_revoked_token_is_worth_nothing_and_another_of_the_same_user_is() -> Outcome {
    let server = start("revoke", &[])?;
    let claims = |jti: &str| json!({"sub": "ann", "jti": jti});
    let mut with_x = connected(&server, &claims("x"))?;
    let mut with_y = connected(&server, &claims("y"))?;
    call(&server, "revoke_token", &json!({"uid": "x"}))?;
    assert_eq!(with_x.closed()?.0, 3014);
    let (_, refused) = connect(&server, &claims("x"))?;
    assert_eq!(refused["error"]["code"], 109, "{refused}");
    connected(&server, &claims("y"))?;
    // The connection that holds y lives, until it comes with x.
    let x = json!({"id": 2, "refresh": {"token": token(&claims("x"))}});
    assert_eq!(ask(&mut with_y, &x)?, json!({"close": 3014}));
    Ok(())
}

#[test]
fn a_token_that_was_refreshed_away_no_longer_counts() -> Outcome {
    let server = start("refreshed", &[])?;
    let claims = |jti: &str| json!({"sub": "ann", "jti": jti});
    let mut client = connected(&server, &claims("old"))?;
    let new = json!({"id": 2, "refresh": {"token": token(&claims("new"))}});
    let refreshed = ask(&mut client, &new)?;
    assert!(refreshed["refresh"].is_object(), "{refreshed}");
    call(&server, "revoke_token", &json!({"uid": "old"}))?;
    let answer = ask(
        &mut client,
        &json!({"id": 3, "refresh": {"token": token(&claims("new"))}}),
    )?;
    assert!(answer["refresh"].is_object(), "{answer}");
    call(&server, "revoke_token", &json!({"uid": "new"}))?;
    assert_eq!(client.closed()?.0, 3014);
    Ok(())
}

#[test]
fn tokens_of_a_user_are_void_by_age() -> Outcome {
    let server = start("invalidate", &[])?;
    let claims = |iat: i64| json!({"sub": "ann", "iat": iat});
    let mut older = connected(&server, &claims(100))?;
    let mut newer = connected(&server, &claims(200))?;
    let before = json!({"user": "ann", "issued_before": 150});
    call(&server, "invalidate_user_tokens", &before)?;
    assert_eq!(older.closed()?.0, 3014);
    let (_, refused) = connect(&server, &claims(149))?;
    assert_eq!(refused["error"]["code"], 109, "{refused}");
    connected(&server, &claims(150))?;
    connected(&server, &json!({"sub": "bob", "iat": 100}))?;
    // Without a time, all that were made before now.
    call(&server, "invalidate_user_tokens", &json!({"user": "ann"}))?;
    assert_eq!(newer.closed()?.0, 3014);
    Ok(())
}

#[test]
fn a_subscription_loses_its_token_and_the_connection_lives() -> Outcome {
    let server = start("subscription", &[])?;
    let mut client = connected(&server, &json!({"sub": "ann", "iat": 500}))?;
    let claims = |channel: &str| json!({"sub": "ann", "channel": channel, "iat": 100});
    let mut subscribe = |id: u32, channel: &str| {
        let request = json!({"channel": channel, "token": token(&claims(channel))});
        ask(&mut client, &json!({"id": id, "subscribe": request}))
    };
    for (id, channel) in [(2, "news"), (3, "chat")] {
        let reply = subscribe(id, channel)?;
        assert!(reply["subscribe"].is_object(), "{reply}");
    }
    let news = json!({"user": "ann", "issued_before": 200, "channel": "news"});
    call(&server, "invalidate_user_tokens", &news)?;
    let push = json!({"push": {"channel": "news", "unsubscribe": {
        "code": 2502, "reason": "state invalidated",
    }}});
    assert_eq!(next(&mut client)?, push);
    let request = json!({"channel": "news", "token": token(&claims("news"))});
    let refused = ask(&mut client, &json!({"id": 4, "subscribe": request}))?;
    assert_eq!(refused["error"]["code"], 109, "{refused}");
    Ok(())
}

/// A database file that no earlier run has left behind.
fn database(name: &str) -> io::Result<PathBuf> {
    let directory = directory()?.join(format!("access-{name}"));
    if directory.exists() {
        std::fs::remove_dir_all(&directory)?;
    }
    std::fs::create_dir_all(&directory)?;
    Ok(directory.join("gyre.db"))
}

#[test]
fn what_was_answered_outlives_kill_9() -> Outcome {
    let path = database("kill")?;
    let storage = json!({"sqlite": {"path": path.display().to_string()}});
    let more = [("storage", storage)];
    let server = start("kill", &more)?;
    call(&server, "block_user", &json!({"user": "ann"}))?;
    call(&server, "revoke_token", &json!({"uid": "x"}))?;
    drop(server); // It is killed.
    let server = start("kill", &more)?;
    assert_eq!(
        connect(&server, &json!({"sub": "ann"}))?.1,
        json!({"close": 3507})
    );
    let (_, refused) = connect(&server, &json!({"sub": "bob", "jti": "x"}))?;
    assert_eq!(refused["error"]["code"], 109, "{refused}");
    connected(&server, &json!({"sub": "bob", "jti": "y"}))?;
    Ok(())
}

#[test]
fn without_a_file_the_first_use_warns_once() -> Outcome {
    let mut server = start("memory", &[])?;
    call(&server, "block_user", &json!({"user": "ann"}))?;
    call(&server, "block_user", &json!({"user": "bob"}))?;
    server.signal("TERM")?;
    server.wait()?;
    let warned = server.values(
        "kept in memory only, a restart forgets it: set storage.sqlite.path, or storage_type of the section",
        "section",
    );
    assert_eq!(warned, ["user_block"]);
    Ok(())
}

#[test]
fn a_database_that_is_not_configured_is_exit_64_and_one_that_is_down_is_not() -> Outcome {
    let output = crate::gyre(&[])
        .env("GYRE_USER_BLOCK_STORAGE_TYPE", "database")
        .args(["-p", &gyre_ports::free_port()?.to_string()])
        .output()?;
    assert_eq!(output.status.code(), Some(64));
    assert!(crate::text(&output.stderr).contains("database.postgresql.dsn"));
    let output = crate::gyre(&[])
        .env("GYRE_STORAGE_SQLITE_PATH", "/nowhere/gyre.db")
        .args(["-p", &gyre_ports::free_port()?.to_string()])
        .output()?;
    assert_eq!(output.status.code(), Some(1));
    assert!(crate::text(&output.stderr).contains("storage.sqlite.path"));
    Ok(())
}

#[test]
fn users_are_online_while_they_are_connected_and_active_when_they_say_so() -> Outcome {
    let server = start("status", &[("user_status", json!({"enabled": true}))])?;
    let status = |users: Value| -> Result<Value, Box<dyn std::error::Error>> {
        let body = json!({"users": users}).to_string();
        let answer = server.call(KEY, "/api/get_user_status", &body)?;
        let (_, body) = answer.split_once("\r\n\r\n").ok_or("no body")?;
        Ok(serde_json::from_str::<Value>(body)?["result"]["statuses"].take())
    };
    assert_eq!(status(json!(["ann"]))?, json!([{"user": "ann"}]));
    let mut client = connected(&server, &json!({"sub": "ann"}))?;
    // It is told of in the background.
    let is_online =
        || Ok::<_, Box<dyn std::error::Error>>(status(json!(["ann"]))?[0]["online"].is_i64());
    let mut asked = 0;
    while !is_online()? {
        asked += 1;
        assert!(asked < 1000, "ann does not come online");
    }
    assert!(status(json!(["ann"]))?[0]["active"].is_null());
    let rpc = json!({"id": 2, "rpc": {"method": "update_user_status", "data": {}}});
    assert_eq!(
        ask(&mut client, &rpc)?,
        json!({"id": 2, "rpc": {"data": {}}})
    );
    assert!(status(json!(["bob", "ann"]))?[1]["active"].is_i64());
    let dnd = json!({"users": ["ann"], "state": "dnd"});
    call(&server, "update_user_status", &dnd)?;
    assert_eq!(status(json!(["ann"]))?[0]["state"], "dnd");
    call(&server, "delete_user_status", &json!({"users": ["ann"]}))?;
    assert_eq!(status(json!(["ann"]))?, json!([{"user": "ann"}]));
    Ok(())
}

#[test]
fn a_status_is_kept_as_long_as_configured() -> Outcome {
    let section = json!({"enabled": true, "expire_interval": "2s"});
    let server = start("status-expires", &[("user_status", section)])?;
    let started = Instant::now();
    call(
        &server,
        "update_user_status",
        &json!({"users": ["ann"], "state": "dnd"}),
    )?;
    let updated = Instant::now();
    loop {
        let answer = server.call(KEY, "/api/get_user_status", "{\"users\":[\"ann\"]}")?;
        if !answer.contains("dnd") {
            break;
        }
        assert!(
            updated.elapsed() < Duration::from_secs(20),
            "it is still kept"
        );
    }
    // Whole seconds are counted.
    assert!(
        started.elapsed() >= Duration::from_secs(1),
        "it is kept until then"
    );
    Ok(())
}
