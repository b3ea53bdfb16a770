//! From the descriptors of `proto/` to OpenAPI 3.0.
//!
//! The JSON form is that of the mapping: names as in the `.proto`, 64-bit numbers as numbers, `bytes`
//! as the JSON that they hold.

use std::collections::BTreeMap;

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, MethodDescriptorProto,
};
use serde_json::{Map, Value, json};

const PACKAGE: &str = "centrifugal.centrifugo.api";

/// Groups of methods: name, what it is, and the methods of it.
const TAGS: &[(&str, &str, &[&str])] = &[
    ("publication", "Publishing.", &["publish", "broadcast"]),
    ("batch", "Several commands in one call.", &["batch"]),
    (
        "connection management",
        "Commands to connections.",
        &["subscribe", "unsubscribe", "disconnect", "refresh"],
    ),
    (
        "presence",
        "Who is in a channel.",
        &["presence", "presence_stats"],
    ),
    (
        "history",
        "What a channel keeps.",
        &["history", "history_remove"],
    ),
    (
        "stats",
        "What there is.",
        &["info", "channels", "connections"],
    ),
    ("rpc", "Extensions.", &["rpc"]),
    (
        "user status",
        "When users were active.",
        &[
            "update_user_status",
            "get_user_status",
            "delete_user_status",
        ],
    ),
    (
        "user block",
        "Who may not connect.",
        &["block_user", "unblock_user"],
    ),
    (
        "token",
        "Tokens that are no longer good.",
        &["revoke_token", "invalidate_user_tokens"],
    ),
    (
        "map",
        "Channels with state by key.",
        &[
            "map_publish",
            "map_remove",
            "map_read_state",
            "map_read_stream",
            "map_stats",
            "map_clear",
        ],
    ),
    ("shared poll", "Shared polling.", &["shared_poll_publish"]),
    (
        "push notification",
        "Devices and notifications.",
        &[
            "device_register",
            "device_update",
            "device_remove",
            "device_list",
            "device_topic_list",
            "device_topic_update",
            "user_topic_list",
            "user_topic_update",
            "send_push_notification",
            "update_push_status",
            "cancel_push",
        ],
    ),
];

/// A request to begin with, for the methods that one begins with.
const EXAMPLES: &[(&str, &str)] = &[
    (
        "publish",
        r#"{"channel":"chat:room","data":{"text":"hello"}}"#,
    ),
    (
        "broadcast",
        r#"{"channels":["chat:a","chat:b"],"data":{"text":"hello"}}"#,
    ),
    (
        "batch",
        r#"{"commands":[{"publish":{"channel":"chat:room","data":1}},{"presence_stats":{"channel":"chat:room"}}],"parallel":true}"#,
    ),
    ("subscribe", r#"{"user":"42","channel":"chat:room"}"#),
    ("unsubscribe", r#"{"user":"42","channel":"chat:room"}"#),
    ("disconnect", r#"{"user":"42"}"#),
    ("refresh", r#"{"user":"42","expired":true}"#),
    ("presence", r#"{"channel":"chat:room"}"#),
    ("presence_stats", r#"{"channel":"chat:room"}"#),
    ("history", r#"{"channel":"chat:room","limit":10}"#),
    ("history_remove", r#"{"channel":"chat:room"}"#),
    ("channels", r#"{"pattern":"chat:*","limit":100}"#),
    ("connections", r#"{"user":"42"}"#),
];

/// The whole description.
pub(super) fn api() -> Value {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto");
    let file = "centrifugal/centrifugo/api/api.proto";
    let set = protox::compile([file], [root]).unwrap();
    let file = set
        .file
        .into_iter()
        .find(|file| file.package() == PACKAGE)
        .unwrap();
    let comments = comments(&file);
    let service = &file.service[0];
    let paths: Map<String, Value> = service
        .method
        .iter()
        .zip(0_i32..)
        .map(|(method, index)| {
            let comment = comments.get(&vec![6, 0, 2, index]);
            (
                format!("/{}", snake(method.name())),
                json!({"post": operation(method, comment)}),
            )
        })
        .collect();
    let schemas: Map<String, Value> = file
        .message_type
        .iter()
        .zip(0_i32..)
        .map(|(message, index)| (message.name().to_owned(), schema(message, index, &comments)))
        .collect();
    let tags: Vec<Value> = TAGS
        .iter()
        .map(|(name, description, _)| json!({"name": name, "description": description}))
        .collect();
    json!({
        "openapi": "3.0.3",
        "info": {
            "title": "Gyre server API",
            "version": "1",
            "description": "What an application's backend asks of the suite over HTTP. A method's error is a successful answer with `error` in place of `result`, unless the header `X-Centrifugo-Error-Mode: transport` or the option `http_api.error_mode` asks for HTTP statuses. A zero value is an absent one.",
        },
        "servers": [{"url": "/api"}],
        "security": [{"key": []}, {"authorization": []}, {"query": []}],
        "tags": tags,
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": security(), "parameters": parameters()},
    })
}

fn security() -> Value {
    json!({
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        "authorization": {
            "type": "apiKey", "in": "header", "name": "Authorization",
            "description": "`apikey` and the key, with a blank between them.",
        },
        "query": {"type": "apiKey", "in": "query", "name": "api_key"},
    })
}

fn parameters() -> Value {
    json!({"error_mode": {
        "name": "X-Centrifugo-Error-Mode", "in": "header", "required": false,
        "description": "Asks for errors as HTTP statuses.",
        "schema": {"type": "string", "enum": ["transport"]},
    }})
}

fn operation(method: &MethodDescriptorProto, comment: Option<&String>) -> Value {
    let name = snake(method.name());
    let (tag, ..) = TAGS
        .iter()
        .find(|(.., methods)| methods.contains(&name.as_str()))
        .unwrap_or_else(|| panic!("{name} is in no group"));
    let description = comment.unwrap_or_else(|| panic!("{name} has no comment"));
    let mut content = json!({"schema": reference(method.input_type())});
    if let Some((_, example)) = EXAMPLES.iter().find(|(of, _)| *of == name) {
        content["example"] = serde_json::from_str(example).unwrap();
    }
    let error = json!({
        "description": "An error of the method, in the error mode `transport`.",
        "content": {"application/json": {"schema": reference(".Error")}},
    });
    json!({
        "operationId": name,
        "tags": [tag],
        "summary": description.split_inclusive('.').next().unwrap_or_default(),
        "description": description,
        "parameters": [{"$ref": "#/components/parameters/error_mode"}],
        "requestBody": {"required": true, "content": {"application/json": content}},
        "responses": {
            "200": {
                "description": "The result, or an error of the method.",
                "content": {"application/json": {"schema": reference(method.output_type())}},
            },
            "400": {"description": "The body is not the JSON form of the request."},
            "401": {"description": "The key is missing or wrong."},
            "413": {"description": "The body is longer than 4 MiB."},
            "default": error,
        },
    })
}

fn schema(message: &DescriptorProto, index: i32, comments: &Comments) -> Value {
    let mut properties = Map::new();
    for (field, place) in message.field.iter().zip(0_i32..) {
        let comment = comments.get(&vec![4, index, 2, place]);
        let value = described(field_schema(message, field), comment);
        properties.insert(field.name().to_owned(), value);
        let twin = format!("b64{}", field.name());
        let is_read = !message.name().ends_with("Request");
        if field.r#type() == Type::Bytes && is_read {
            let text = format!("In place of `{}` if that is not JSON.", field.name());
            properties.insert(
                twin,
                json!({"type": "string", "format": "byte", "description": text}),
            );
        }
    }
    let mut schema = json!({"type": "object", "properties": properties});
    if let Some(comment) = comments.get(&vec![4, index]) {
        schema["description"] = Value::from(comment.as_str());
    }
    schema
}

/// A schema with a description; beside a reference nothing may stand.
fn described(mut schema: Value, comment: Option<&String>) -> Value {
    let Some(comment) = comment else {
        return schema;
    };
    if schema.get("$ref").is_some() {
        return json!({"allOf": [schema], "description": comment});
    }
    schema["description"] = Value::from(comment.as_str());
    schema
}

fn field_schema(message: &DescriptorProto, field: &FieldDescriptorProto) -> Value {
    let entry = message.nested_type.iter().find(|nested| {
        field.type_name().ends_with(&format!(".{}", nested.name()))
            && nested
                .options
                .as_ref()
                .is_some_and(|options| options.map_entry())
    });
    if let Some(entry) = entry {
        return json!({"type": "object", "additionalProperties": value_schema(&entry.field[1])});
    }
    if field.label() == Label::Repeated {
        return json!({"type": "array", "items": value_schema(field)});
    }
    value_schema(field)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "kinds that the API does not use"
)]
fn value_schema(field: &FieldDescriptorProto) -> Value {
    match field.r#type() {
        Type::String => json!({"type": "string"}),
        Type::Bool => json!({"type": "boolean"}),
        Type::Double => json!({"type": "number", "format": "double"}),
        Type::Int32 => json!({"type": "integer", "format": "int32"}),
        Type::Int64 => json!({"type": "integer", "format": "int64"}),
        Type::Uint32 => json!({"type": "integer", "minimum": 0, "maximum": u32::MAX}),
        Type::Uint64 => json!({"type": "integer", "format": "int64", "minimum": 0}),
        Type::Message => reference(field.type_name()),
        // Any JSON.
        Type::Bytes => json!({}),
        other => panic!("{other:?} has no schema yet"),
    }
}

fn reference(type_name: &str) -> Value {
    let name = type_name.rsplit('.').next().unwrap();
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// What stands before each element, by the element's place in the file.
type Comments = BTreeMap<Vec<i32>, String>;

fn comments(file: &FileDescriptorProto) -> Comments {
    let info = file.source_code_info.as_ref().unwrap();
    info.location
        .iter()
        .filter(|location| location.leading_comments.is_some())
        .map(|location| {
            let lines = location.leading_comments().lines().map(str::trim);
            let text = lines.collect::<Vec<_>>().join(" ");
            (location.path.clone(), text.trim().to_owned())
        })
        .collect()
}

/// `PresenceStats` is `presence_stats`, `RPC` is `rpc`.
fn snake(name: &str) -> String {
    let mut out = String::new();
    let mut was_small = false;
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && was_small {
            out.push('_');
        }
        was_small = letter.is_ascii_lowercase();
        out.push(letter.to_ascii_lowercase());
    }
    out
}
