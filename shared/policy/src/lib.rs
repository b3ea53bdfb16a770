//! Namespaces, channel options and permission rules: pure functions.
//!
//! A [`Policy`] is compiled from configuration once and shared. [`Policy::resolve`] finds a channel's
//! [`Rules`], which answer every question about the channel: whether its name is valid, who may do
//! what in it, which options a subscription gets, how long history keeps a publication.
//!
//! # Order
//!
//! Each check is a method of its own, and which of two faults a client is told of is decided by the
//! order in which the session calls them:
//!
//! | command | order |
//! |---|---|
//! | subscribe | [`Policy::check_subscription_type`], [`Policy::check_length`], [`Policy::resolve`], [`Rules::check_name`], [`Rules::check_requested_type`], then the token or [`Rules::may_subscribe`], then [`Rules::compile_filter`] and [`Rules::subscription_options`] |
//! | publish | [`Policy::resolve`], [`Rules::check_name`], [`Rules::check_data`], [`Rules::may_publish`] |
//! | presence, presence stats | [`Policy::resolve`], [`Rules::check_name`], [`Rules::may_presence`] |
//! | history | [`Policy::resolve`], [`Rules::check_name`], [`Rules::may_history`] |
//!
//! What a newcomer would get wrong: an option «for anonymous» grants nothing by itself; it lifts the
//! exclusion of anonymous users from what another option grants.

#![forbid(unsafe_code)]

mod caller;
mod capabilities;
mod error;
mod filter;
mod names;
mod namespace;
mod pattern;
mod policy;
mod retention;
mod rpc;
mod rules;
mod subscription;

pub use caller::{Admission, Caller, ProxyKind, Source, Verdict};
pub use capabilities::{Capabilities, Right, Rights, TooManyCapabilities};
pub use error::PolicyError;
pub use filter::Filter;
pub use policy::Policy;
pub use retention::Retention;
pub use rpc::RpcRoute;
pub use rules::Rules;
pub use subscription::{Mode, Override, RefreshedBy, SubscriptionOptions, Wish};
