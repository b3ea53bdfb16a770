//! Whole files, and what the loader says about them.
//!
//! Beside each file in `files/` stands what an operator reads at start. `GYRE_UPDATE=1` writes it
//! anew, to be reviewed.

mod common;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};

use gyre_config::channel::{DeltaType, RecoveryMode};
use gyre_config::document::Format;
use gyre_config::{Config, Loaded, Millis, Problems, Source, load};

type Outcome = Result<(), Box<dyn Error>>;

fn read(path: &Path) -> Result<Loaded, Problems> {
    let source = Source {
        path: Some(path.to_owned()),
        required: true,
        environment_file: None,
    };
    load(&source, std::iter::empty(), &[])
}

fn config(name: &str) -> Result<Config, Problems> {
    Ok(read(&common::directory().join("files").join(name))?.config)
}

/// What an operator reads, without the directory of this machine.
fn said(path: &Path) -> String {
    let (problems, warnings) = match read(path) {
        Ok(loaded) => (Vec::new(), loaded.warnings),
        Err(problems) => (problems.problems, problems.warnings),
    };
    let problems = problems.iter().map(|line| format!("problem: {line}"));
    let lines: Vec<String> = problems
        .chain(warnings.iter().map(|line| format!("warning: {line}")))
        .collect();
    let directory = format!("{}/", path.parent().unwrap_or(path).display());
    lines
        .iter()
        .map(|line| line.replace(&directory, "") + "\n")
        .collect()
}

#[test]
fn files_say_what_stands_beside_them() -> Outcome {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(common::directory().join("files"))? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension != "said")
        {
            files.insert(path.clone(), said(&path));
        }
    }
    assert!(files.len() >= 12, "the files are not there");
    for (path, said) in files {
        common::compare(&PathBuf::from(format!("{}.said", path.display())), &said)?;
    }
    Ok(())
}

#[test]
fn nothing_secret_is_said() -> Outcome {
    for entry in std::fs::read_dir(common::directory().join("files"))? {
        let path = entry?.path();
        assert!(!said(&path).contains("letmein"), "{}", path.display());
    }
    Ok(())
}

#[test]
fn formats_read_alike() -> Outcome {
    let chat = config("chat.yaml")?;
    assert_eq!(
        (chat.http_server.port, chat.http_server.internal_port),
        (8000, Some(9000))
    );
    assert_eq!(chat.client.token.hmac_secret_key.expose(), "31415926");
    let names: Vec<&str> = chat
        .channel
        .namespaces
        .iter()
        .map(|space| &*space.name)
        .collect();
    assert_eq!(names, ["rooms", "direct", "personal", "typing"]);
    let direct = &chat.channel.namespaces[1].options;
    assert!(direct.force_recovery && !direct.allow_subscribe_for_client);
    assert_eq!(direct.history_ttl, Millis(5_400_000));

    let everything = config("everything.toml")?;
    assert_eq!(everything.http_server.internal_port, Some(9001));
    assert_eq!(everything.client.allowed_origins.len(), 2);
    assert_eq!(everything.client.pong_timeout, Millis::from_secs(3));
    assert_eq!(everything.client.queue_max_size.get(), None);
    assert_eq!(
        everything
            .client
            .subscription_token
            .token
            .hmac_secret_key
            .expose(),
        "three"
    );
    assert_eq!(
        everything.channel.without_namespace.allowed_delta_types,
        [DeltaType::Fossil]
    );
    let news = &everything.channel.namespaces[0].options;
    assert_eq!(news.force_recovery_mode, RecoveryMode::Cache);
    assert_eq!(everything.websocket.write_timeout, Millis(250));
    assert_eq!(everything.prometheus.namespace, "centrifugo");

    assert_eq!(config("empty.yaml")?, Config::default());
    assert_eq!(
        config("every-case.json")?.channel.namespaces[0].name,
        "chat"
    );
    Ok(())
}

#[test]
fn a_file_that_is_not_there_is_a_problem_if_it_was_named() -> Outcome {
    let path = common::directory().join("files/none.json");
    assert!(read(&path).is_err_and(|problems| problems.to_string().contains("cannot be read")));
    let source = Source {
        path: Some(path),
        ..Source::default()
    };
    let loaded = load(&source, std::iter::empty(), &[])?;
    assert_eq!(loaded.config, Config::default());
    assert!(
        loaded.warnings[0]
            .to_string()
            .starts_with("no configuration file ")
    );
    Ok(())
}

#[test]
fn a_file_of_variables_stands_behind_the_environment() -> Outcome {
    let directory = tempdir("variables")?;
    let path = directory.join(".env");
    std::fs::write(
        &path,
        "# comment\n\nGYRE_HTTP_SERVER_PORT=1001\nexport GYRE_PID_FILE=\"a \\\"b\\\" #c\"\n\
         GYRE_LOG_FILE='x y' # comment\nGYRE_NODE_NAME=one # comment\nnonsense\n\
         CENTRIFUGO_HTTP_API_KEY=k=v\nGYRE_LOG_LEVEL=\"open\nOTHER=1\n",
    )?;
    let source = Source {
        environment_file: Some(path.clone()),
        ..Source::default()
    };
    let environment = [("GYRE_HTTP_SERVER_PORT".to_owned(), "1002".to_owned())];
    let loaded = load(&source, environment.into_iter(), &[])?;
    std::fs::remove_dir_all(directory)?;

    assert_eq!(loaded.config.http_server.port, 1002);
    assert_eq!(loaded.config.pid_file, "a \"b\" #c");
    assert_eq!(loaded.config.log.file, "x y");
    assert_eq!(loaded.config.node.name, "one");
    assert_eq!(loaded.config.http_api.key.expose(), "k=v");
    let said: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    let bad = |line| format!("line {line} of file {} is no variable", path.display());
    assert!(said.contains(&bad(7)) && said.contains(&bad(9)), "{said:?}");
    Ok(())
}

/// A directory of this test's own.
fn tempdir(test: &str) -> std::io::Result<PathBuf> {
    let path = std::env::temp_dir().join(format!("gyre-config-{test}-{}", std::process::id()));
    std::fs::create_dir_all(&path)?;
    Ok(path)
}

/// The configurations that the conformance suites start servers with.
#[test]
fn configurations_of_the_conformance_suites_load() -> Outcome {
    let suites = common::directory().join("../../../tests/conformance");
    let directory = tempdir("conformance")?;

    let mut trees = Vec::new();
    for entry in std::fs::read_dir(suites.join("client/configs"))? {
        let path = entry?.path();
        trees.push((path.display().to_string(), std::fs::read_to_string(&path)?));
    }
    let api: BTreeMap<String, serde_json::Value> =
        serde_json::from_str(&std::fs::read_to_string(suites.join("api/configs.json"))?)?;
    trees.extend(api.into_iter().map(|(name, tree)| (name, tree.to_string())));
    assert!(trees.len() > 40, "the configurations are not there");

    let path = directory.join("config.json");
    for (name, text) in trees {
        let mut tree: serde_json::Value = serde_json::from_str(&text)?;
        // A word of the runner's own.
        if let Some(tree) = tree.as_object_mut() {
            tree.remove("extends");
        }
        // What the runners put in; streams are asked for over gRPC only.
        let backend = match name.starts_with("proxy-stream") {
            true => "127.0.0.1:18002",
            false => "http://127.0.0.1:18001",
        };
        let text = tree
            .to_string()
            .replace("{port}", "18000")
            .replace("\"{grpc_port}\"", "18001")
            .replace("\"${uni_grpc_port}\"", "18001")
            .replace("${backend}", backend)
            .replace("${backend_grpc}", "127.0.0.1:18002")
            .replace("${backend_grpc_port}", "18002");
        std::fs::write(&path, text)?;
        let loaded = read(&path).map_err(|problems| format!("{name}: {problems}"))?;
        for warning in loaded.warnings {
            let warning = warning.to_string();
            assert!(!warning.starts_with("unknown"), "{name}: {warning}");
        }
    }
    std::fs::remove_dir_all(directory)?;
    Ok(())
}

/// Numbers from a seed, the same on every machine (`splitmix64`).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % end.max(1) as u64).unwrap_or(0)
    }
}

/// What is written into files.
const PIECES: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b":",
    b",",
    b"-",
    b"\n",
    b" ",
    b"&a ",
    b"*a",
    b"<<: ",
    b"!!",
    b"|",
    b"#",
    b"null",
    b"1e999",
    b"-1",
    b"99999999999999999999",
    b"0x",
    b"true",
    b"\xff",
    b"\0",
    b"'''",
    b"[[a]]",
    b"2020-01-01",
];

/// A file in which a few places are changed: bytes are lost, written or repeated.
fn mutated(text: &[u8], random: &mut Random) -> Vec<u8> {
    let mut text = text.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(text.len() + 1);
        let end = (at + random.below(12)).min(text.len());
        let piece = PIECES.get(random.below(PIECES.len())).copied();
        let part = text.get(at..end).unwrap_or_default();
        let (end, new) = match random.below(3) {
            0 => (end, Vec::new()),
            1 => (at, piece.unwrap_or_default().to_vec()),
            _ => (end, part.repeat(1 + random.below(40))),
        };
        text.splice(at..end, new);
    }
    text
}

#[test]
fn whatever_a_file_holds_it_is_read_or_refused() -> Outcome {
    const OF_EACH: u64 = 20;
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("gyre-config-fuzz");
    std::fs::create_dir_all(&directory)?;
    let mut files = Vec::new();
    for below in ["files", "files/installations"] {
        for entry in std::fs::read_dir(common::directory().join(below))? {
            let path = entry?.path();
            if Format::of(&path).is_some() {
                files.push(path);
            }
        }
    }
    files.sort();
    assert!(files.len() > 20, "the files are not there");
    for (number, file) in (0..).zip(&files) {
        let text = std::fs::read(file)?;
        let path = directory.join(file.file_name().ok_or("no name")?);
        for seed in 0..OF_EACH {
            let mut random = Random(number * OF_EACH + seed);
            std::fs::write(&path, mutated(&text, &mut random))?;
            match read(&path) {
                // What was read can be written and read again.
                Ok(loaded) => {
                    let again = gyre_config::reloaded(&loaded.config, &loaded.config)?;
                    assert_eq!(again.config, loaded.config, "{}: {seed}", file.display());
                }
                Err(problems) => assert!(!problems.to_string().is_empty()),
            }
        }
        std::fs::remove_file(&path)?;
    }
    Ok(())
}

#[test]
fn aliases_that_grow_without_end_are_refused() -> Outcome {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("gyre-config-aliases.yaml");
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = format!("*a{}", level - 1);
        text += &format!("a{level}: &a{level} [{}]\n", vec![before; 10].join(", "));
    }
    std::fs::write(&path, text)?;
    let outcome = read(&path);
    std::fs::remove_file(&path)?;
    assert!(outcome.is_err());
    Ok(())
}
