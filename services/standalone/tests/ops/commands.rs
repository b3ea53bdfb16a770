//! The command line besides serving.

use std::error::Error;
use std::path::PathBuf;
use std::process::Output;

use super::Outcome;
use super::server::{Server, directory, gyre, text};

/// A path in a directory of this test's own.
fn fresh(test: &str, name: &str) -> Result<PathBuf, Box<dyn Error>> {
    let directory = directory()?.join(test);
    if directory.exists() {
        std::fs::remove_dir_all(&directory)?;
    }
    std::fs::create_dir_all(&directory)?;
    Ok(directory.join(name))
}

fn arg(path: &std::path::Path) -> Result<&str, Box<dyn Error>> {
    Ok(path.to_str().ok_or("path is not text")?)
}

/// What a command printed, which it has to end well for.
fn printed(output: &Output) -> Result<String, Box<dyn Error>> {
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr).into())
    }
}

#[test]
fn defaults_are_written_and_are_valid() -> Outcome {
    for name in ["config.json", "config.yaml", "config.toml"] {
        let path = fresh("defaults", name)?;
        printed(&gyre(&["defaultconfig", "-c", arg(&path)?]).output()?)?;
        let output = gyre(&["checkconfig", "--strict", "-c", arg(&path)?]).output()?;
        assert!(printed(&output)?.ends_with("configuration is valid\n"));
        let again = gyre(&["defaultconfig", "-c", arg(&path)?]).output()?;
        assert_eq!(again.status.code(), Some(1), "{name} was overwritten");

        let dry = gyre(&["defaultconfig", "-d", "-c", arg(&path)?]).output()?;
        assert_eq!(printed(&dry)?, std::fs::read_to_string(&path)?);
    }
    let output = gyre(&["defaultconfig", "-d", "-c", "config.ini"]).output()?;
    assert_eq!(output.status.code(), Some(1));
    Ok(())
}

#[test]
fn a_base_goes_over_the_defaults() -> Outcome {
    let base = fresh("base", "base.json")?;
    std::fs::write(
        &base,
        r#"{"http_server":{"port":8123},"channel":{"namespaces":[{"name":"chat"}]}}"#,
    )?;
    let output = gyre(&["defaultconfig", "-d", "-b", arg(&base)?]).output()?;
    let written: serde_json::Value = serde_json::from_str(&printed(&output)?)?;
    assert_eq!(written["http_server"]["port"], 8123);
    assert_eq!(written["channel"]["namespaces"][0]["name"], "chat");
    assert_eq!(written["client"]["ping_interval"], "25s");

    let output = gyre(&["defaultenv", "-b", arg(&base)?, "--base-non-zero-only"]).output()?;
    let lines = printed(&output)?;
    assert!(
        lines.contains("GYRE_HTTP_SERVER_PORT=\"8123\"\n"),
        "{lines}"
    );
    assert!(!lines.contains("GYRE_PID_FILE"), "{lines}");
    let output = gyre(&["defaultenv"]).output()?;
    assert!(printed(&output)?.contains("GYRE_PID_FILE=\"\"\n"));
    Ok(())
}

#[test]
fn options_are_explained_by_section() -> Outcome {
    let whole = printed(&gyre(&["configdoc", "--markdown"]).output()?)?;
    assert!(whole.contains("`client.ping_interval`") && whole.contains("`log.level`"));
    let some = printed(&gyre(&["configdoc", "--section", "client.token"]).output()?)?;
    assert!(some.contains("`client.token.issuer`"), "{some}");
    assert!(!some.contains("`client.ping_interval`"), "{some}");
    let none = gyre(&["configdoc", "--section", "client.tok"]).output()?;
    assert_eq!(none.status.code(), Some(1));
    assert!(text(&none.stderr).contains("client.tok"));
    Ok(())
}

#[test]
fn a_generated_configuration_serves_and_signs() -> Outcome {
    for name in ["first.json", "first.yml", "first.toml"] {
        let path = fresh("generated", name)?;
        printed(&gyre(&["genconfig", "-c", arg(&path)?]).output()?)?;
        let output = gyre(&["checkconfig", "--strict", "-c", arg(&path)?]).output()?;
        assert_eq!(printed(&output)?, "configuration is valid\n", "{name}");
    }
    let (one, other) = (fresh("generated", "a.json")?, fresh("other", "b.json")?);
    for path in [&one, &other] {
        printed(&gyre(&["genconfig", "-c", arg(path)?]).output()?)?;
    }
    let (first, second) = (
        std::fs::read_to_string(&one)?,
        std::fs::read_to_string(&other)?,
    );
    assert_ne!(first, second, "secrets are not the same twice");

    let tree: serde_json::Value = serde_json::from_str(&first)?;
    let key = tree["http_api"]["key"].as_str().ok_or("no key")?;
    let server = Server::start(&["-c", arg(&one)?])?;
    let publish = r#"{"channel":"news","data":{}}"#;
    assert!(
        server
            .call("x", "/api/publish", publish)?
            .starts_with("HTTP/1.1 401 ")
    );
    assert!(
        server
            .call(key, "/api/publish", publish)?
            .starts_with("HTTP/1.1 200 ")
    );
    Ok(())
}

#[test]
fn tokens_are_made_and_verified() -> Outcome {
    let path = fresh("tokens", "config.json")?;
    let secrets = r#"{"client":{"token":{"hmac_secret_key":"one"},
        "subscription_token":{"enabled":true,"hmac_secret_key":"two"}}}"#;
    std::fs::write(&path, secrets)?;
    let path = arg(&path)?;
    let made = printed(&gyre(&["gentoken", "-u", "42", "-q", "-c", path]).output()?)?;
    let said = printed(&gyre(&["checktoken", "-c", path, made.trim()]).output()?)?;
    assert!(
        said.starts_with("valid token of user \"42\", holds for 60"),
        "{said}"
    );

    let for_ever = gyre(&["gentoken", "-u", "42", "-t", "-1", "-q", "-c", path]).output()?;
    let said = gyre(&["checktoken", "-c", path, printed(&for_ever)?.trim()]).output()?;
    assert_eq!(
        printed(&said)?,
        "valid token of user \"42\", holds for ever\n"
    );

    let bound = gyre(&["gensubtoken", "-u", "42", "-s", "news", "-q", "-c", path]).output()?;
    let bound = printed(&bound)?;
    let said = printed(&gyre(&["checksubtoken", "-c", path, bound.trim()]).output()?)?;
    assert!(
        said.starts_with("valid token of user \"42\" for channel \"news\", holds for 60"),
        "{said}"
    );

    for (command, token) in [("checktoken", bound.trim()), ("checksubtoken", made.trim())] {
        let refused = gyre(&[command, "-c", path, token]).output()?;
        assert_eq!(refused.status.code(), Some(1), "{command}");
        assert!(
            text(&refused.stderr).contains("signature"),
            "{}",
            text(&refused.stderr)
        );
    }
    let loud = printed(&gyre(&["gentoken", "-u", "42", "-c", path]).output()?)?;
    assert!(
        loud.starts_with("HS256 token, holds for 604800 seconds, for user \"42\":\n"),
        "{loud}"
    );
    Ok(())
}

#[test]
fn without_a_secret_no_token_is_made() -> Outcome {
    let output = gyre(&["gentoken", "-u", "42"]).output()?;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("client.token.hmac_secret_key"));
    assert!(output.stdout.is_empty());

    let output = gyre(&["checktoken", "x.y.z", "-c", "missing.json"]).output()?;
    assert_eq!(output.status.code(), Some(64));
    Ok(())
}
