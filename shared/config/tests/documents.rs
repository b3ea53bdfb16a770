//! What is written of a configuration is read again as that configuration.

use std::error::Error;
use std::path::Path;

use gyre_config::document::{Format, Listed, text, variables};
use gyre_config::{Config, Loaded, Problems, Source, load};

type Outcome = Result<(), Box<dyn Error>>;

fn read(path: &Path) -> Result<Loaded, Problems> {
    let source = Source {
        path: Some(path.to_owned()),
        required: true,
        environment_file: None,
    };
    load(&source, std::iter::empty(), &[])
}

fn everything() -> Result<Config, Problems> {
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files");
    Ok(read(&files.join("everything.toml"))?.config)
}

#[test]
fn a_document_holds_the_configuration_in_every_format() -> Outcome {
    let directory = std::env::temp_dir().join(format!("gyre-documents-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    for config in [Config::default(), everything()?] {
        for (format, name) in [
            (Format::Json, "a.json"),
            (Format::Yaml, "a.yaml"),
            (Format::Toml, "a.toml"),
        ] {
            let path = directory.join(name);
            std::fs::write(&path, text(&config, format)?)?;
            let loaded = read(&path).map_err(|problems| format!("{name}: {problems}"))?;
            assert_eq!(loaded.config, config, "{name}");
        }
    }
    std::fs::remove_dir_all(directory)?;
    Ok(())
}

#[test]
fn variables_hold_the_configuration() -> Outcome {
    let config = everything()?;
    let of = |listed| {
        let variables = variables(&config, listed).into_iter();
        let variables = variables.map(|variable| (variable.name, variable.value));
        load(&Source::default(), variables, &[])
    };
    assert_eq!(of(Listed::All)?.config, config);
    assert_eq!(of(Listed::NonZero)?.config, config);
    Ok(())
}

#[test]
fn zeros_can_be_left_out() {
    let listed = |listed| {
        let variables = variables(&Config::default(), listed).into_iter();
        variables.map(|variable| variable.to_string()).collect()
    };
    let (all, some): (Vec<String>, Vec<String>) = (listed(Listed::All), listed(Listed::NonZero));
    assert!(all.contains(&"GYRE_PID_FILE=\"\"".to_owned()));
    assert!(some.contains(&"GYRE_HTTP_SERVER_PORT=\"8000\"".to_owned()));
    assert!(some.iter().all(|line| !line.ends_with("=\"\"")));
    assert!(some.len() < all.len());
}
