//! The engine against the specification of the traits, and against a model.

mod broadcast;
mod conformance;
mod faults;
mod model;
mod statuses;
mod subject;
mod sweeping;
