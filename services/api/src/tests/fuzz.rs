//! Hostile requests over HTTP: whatever comes, the answer is not a fault of ours, and it comes.
//!
//! Every request is made from a number, and a failure says which. `GYRE_FUZZ_REQUESTS` asks for more
//! of them, `GYRE_FUZZ_SEED` for others.

use std::fmt::Write as _;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::body::Body;
use futures_util::{FutureExt as _, stream};
use http::{HeaderName, HeaderValue, Method, Request};
use tower::ServiceExt as _;

use super::world::{HTTP_KEY, World};
use crate::methods::MethodId;

/// Requests of a usual run. 4000: a second or two.
const REQUESTS: u64 = 4_000;

/// An answer that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// Numbers from a seed, the same on every machine (`splitmix64`).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    fn bytes(&mut self, len_max: usize) -> Vec<u8> {
        (0..self.below(len_max + 1))
            .map(|_| self.next().to_le_bytes()[0])
            .collect()
    }
}

/// Keys that mean something somewhere, and some that mean nothing.
const KEYS: &[&str] = &[
    "channel",
    "channels",
    "data",
    "b64data",
    "user",
    "client",
    "session",
    "tags",
    "limit",
    "since",
    "offset",
    "epoch",
    "reverse",
    "commands",
    "parallel",
    "publish",
    "broadcast",
    "history",
    "rpc",
    "method",
    "params",
    "id",
    "disconnect",
    "code",
    "reason",
    "whitelist",
    "label_filter",
    "op",
    "cmp",
    "key",
    "val",
    "vals",
    "nodes",
    "all_users",
    "expire_at",
    "info",
    "b64info",
    "override",
    "presence",
    "value",
    "recover_since",
    "idempotency_key",
    "version",
    "version_epoch",
    "pattern",
    "cursor",
    "expression",
    "users",
    "skip_history",
    "delta",
    "subscribe",
    "refresh",
    "connections",
    "CHANNEL",
    "",
    "\\u0000",
    "x",
];

const TEXTS: &[&str] = &[
    "",
    "a",
    "hist:a",
    "bin:a",
    "json:a",
    "map:a",
    "who:a",
    "nope:a",
    "down",
    "gone",
    "17",
    "AAEC",
    "!",
    "[",
    "{a,b",
    "*",
    "and",
    "or",
    "not",
    "eq",
    "in",
    "gt",
    "1",
    "-1",
    "1e400",
    "publish",
    "batch",
    "\\ud800",
    "\\u0000",
    "\\n",
    "\u{10ffff}",
];

const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "-0",
    "4294967295",
    "4294967296",
    "2147483647",
    "-2147483648",
    "9223372036854775807",
    "18446744073709551615",
    "18446744073709551616",
    "1.5",
    "1e308",
    "1e400",
    "-1e-400",
    "3503",
    "5000",
    "1700000000",
];

/// A JSON text of some shape, most of the time.
fn json(random: &mut Random, depth: usize, out: &mut String) {
    let kinds = if depth == 0 { 5 } else { 9 };
    match random.below(kinds) {
        0 => out.push_str(random.pick(&["null", "true", "false"])),
        1 | 2 => {
            write!(out, "\"{}\"", random.pick(TEXTS)).unwrap();
        }
        3 => out.push_str(random.pick(NUMBERS)),
        4 => write!(out, "\"{}\"", "x".repeat(random.below(300))).unwrap(),
        5 => {
            out.push('[');
            for place in 0..random.below(4) {
                out.push_str(if place == 0 { "" } else { "," });
                json(random, depth - 1, out);
            }
            out.push(']');
        }
        _ => {
            out.push('{');
            for place in 0..random.below(6) {
                out.push_str(if place == 0 { "" } else { "," });
                write!(out, "\"{}\":", random.pick(KEYS)).unwrap();
                json(random, depth - 1, out);
            }
            out.push('}');
        }
    }
}

/// A request of the method's own shape with one or the other field, so that more than parsers is met.
fn shaped(random: &mut Random) -> String {
    let mut out = String::from("{");
    write!(
        out,
        "\"channel\":\"{}\",\"user\":\"{}\"",
        random.pick(TEXTS),
        random.pick(TEXTS)
    )
    .unwrap();
    for _ in 0..random.below(6) {
        write!(out, ",\"{}\":", random.pick(KEYS)).unwrap();
        json(random, 3, &mut out);
    }
    out.push('}');
    out
}

fn body(random: &mut Random) -> Vec<u8> {
    match random.below(8) {
        0 => random.bytes(200),
        1 => "[".repeat(random.below(100_000)).into_bytes(),
        2 => "{\"nodes\":[".repeat(random.below(20_000)).into_bytes(),
        3 | 4 => {
            let mut out = String::new();
            json(random, 5, &mut out);
            out.into_bytes()
        }
        5 => {
            let mut out = shaped(random).into_bytes();
            let place = random.below(out.len());
            out[place] = random.next().to_le_bytes()[0];
            out
        }
        6 => {
            // The legacy endpoint's, and for the others too much.
            let mut out = String::new();
            for _ in 0..random.below(4) {
                let (method, params) = (random.pick(TEXTS), shaped(random));
                write!(
                    out,
                    "{{\"id\":{},\"method\":\"{method}\",\"params\":{params}}}",
                    random.below(3)
                )
                .unwrap();
            }
            out.into_bytes()
        }
        _ => shaped(random).into_bytes(),
    }
}

fn path(random: &mut Random) -> String {
    let method = MethodId::ALL[random.below(MethodId::COUNT)].name();
    let mut path = match random.below(12) {
        0 => "/api".to_owned(),
        1 | 2 => "/api/batch".to_owned(),
        3 => format!(
            "/api/{}",
            random.pick(&["nope", "%00", "..", "publish/", "", "%ff", "Publish"])
        ),
        _ => format!("/api/{method}"),
    };
    if random.one_in(10) {
        path += random.pick(&[
            "?",
            "?api_key=",
            "?api_key=%ff%00",
            "?api_key=http-key",
            "?a=b&&=&api_key=+",
        ]);
    }
    path
}

fn request(random: &mut Random) -> Request<Body> {
    let mut request = Request::builder().uri(path(random));
    request = request.method(match random.below(20) {
        0 => Method::GET,
        1 => Method::from_bytes(b"BREW").unwrap(),
        _ => Method::POST,
    });
    if !random.one_in(20) {
        request = request.header("x-api-key", HTTP_KEY);
    }
    for _ in 0..random.below(4) {
        let name = random.pick(&[
            "authorization",
            "x-api-key",
            "x-centrifugo-error-mode",
            "content-type",
            "content-length",
            "content-encoding",
            "traceparent",
            "accept-encoding",
            "expect",
            "x",
        ]);
        let value = match random.one_in(2) {
            true => random
                .pick(&[
                    "transport",
                    "apikey",
                    "apikey  x y",
                    "gzip",
                    "application/json",
                    "999999999999",
                    "-1",
                    "Bearer a.b.c",
                ])
                .as_bytes()
                .to_vec(),
            false => random.bytes(40),
        };
        if let Ok(value) = HeaderValue::from_bytes(&value) {
            request = request.header(HeaderName::from_static(name), value);
        }
    }
    let body = body(random);
    let body = match random.below(6) {
        0 => {
            let is_cut = random.one_in(2);
            let mut pieces: Vec<_> = body.chunks(7).map(|piece| Ok(piece.to_vec())).collect();
            if is_cut {
                pieces.push(Err(std::io::Error::other("gone")));
            }
            Body::from_stream(stream::iter(pieces))
        }
        _ => Body::from(body),
    };
    request.body(body).unwrap()
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long to look, for who runs the test"
)]
fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap(),
        Err(_) => default,
    }
}

#[tokio::test]
async fn no_request_is_answered_with_a_fault_or_not_at_all() {
    let seed = setting("GYRE_FUZZ_SEED", 4);
    let world = World::new().await;
    let mut statuses = std::collections::BTreeMap::new();
    for number in 0..setting("GYRE_FUZZ_REQUESTS", REQUESTS) {
        let request = request(&mut Random(seed.wrapping_add(number << 20)));
        let sent = format!("{} {}", request.method(), request.uri());
        // `down` and `gone` are faults of the fakes; they show as errors of the method.
        let is_transport = request
            .headers()
            .get("x-centrifugo-error-mode")
            .is_some_and(|mode| mode == "transport");
        let answer = world.http.clone().unwrap().oneshot(request);
        let answer = AssertUnwindSafe(tokio::time::timeout(PATIENCE, answer))
            .catch_unwind()
            .await;
        let at = format!("request {number} of GYRE_FUZZ_SEED={seed}: {sent}");
        let answer = answer.unwrap_or_else(|_| panic!("it panicked, {at}"));
        let answer = answer.unwrap_or_else(|_| panic!("it hangs, {at}")).unwrap();
        let status = answer.status().as_u16();
        *statuses.entry(status).or_insert(0_u32) += 1;
        assert!(
            status < 500 || (is_transport && status == 500),
            "{status}, {at}"
        );
        world.fake.take_log();
    }
    // It reaches the methods, and what stands before them.
    for status in [200, 400, 401, 404, 405] {
        assert!(statuses.contains_key(&status), "{status} of {statuses:?}");
    }
}
