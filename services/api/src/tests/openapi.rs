//! The description of the API, made from `proto/` and held against what is committed.
//!
//! `GYRE_UPDATE=1 cargo test -p gyre-api openapi` writes it anew.

mod describe;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::methods::MethodId;

const COMMITTED: &str = "../../docs/reference/openapi.json";

#[test]
fn what_is_committed_is_what_the_proto_says() {
    let described = serde_json::to_string_pretty(&describe::api()).unwrap() + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(COMMITTED);
    if std::env::var_os("GYRE_UPDATE").is_some() {
        std::fs::write(&path, &described).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert!(
        committed == described,
        "docs/reference/openapi.json is old: GYRE_UPDATE=1 cargo test -p gyre-api openapi"
    );
}

#[test]
fn every_method_has_its_path_and_every_reference_its_schema() {
    let api = describe::api();
    let paths: BTreeSet<&str> = api["paths"]
        .as_object()
        .unwrap()
        .keys()
        .map(|path| path.trim_start_matches('/'))
        .collect();
    let methods: BTreeSet<&str> = MethodId::ALL
        .iter()
        .map(|method| method.name())
        .chain(["batch"])
        .collect();
    assert_eq!(paths, methods);
    for path in &paths {
        let item = api["paths"][format!("/{path}")].as_object().unwrap();
        assert!(item.keys().eq(["post"]), "{path}");
        assert_eq!(item["post"]["operationId"], *path);
    }

    let mut references = BTreeSet::new();
    collect(&api, &mut references);
    let schemas = api["components"]["schemas"].as_object().unwrap();
    for reference in &references {
        let name = reference.trim_start_matches("#/components/schemas/");
        assert!(schemas.contains_key(name), "{name}");
    }
    assert!(references.len() > 100);
    assert!(schemas.values().all(|schema| schema["type"] == "object"));
}

fn collect(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref")
                && reference.starts_with("#/components/schemas/")
            {
                references.insert(reference.clone());
            }
            members
                .values()
                .for_each(|value| collect(value, references));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, references)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
