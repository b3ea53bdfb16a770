//! Gateways and APIs in processes of their own on real Redis, under faults: see `tests/it`.

#![forbid(unsafe_code)]
