//! Sessions, hubs and an engine over lossy links, on virtual time: see `tests/seeds`.

#![forbid(unsafe_code)]
