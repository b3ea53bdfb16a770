use gyre_engine::conformance::{self, Failures};

use crate::subject::{Memory, block_on};

#[test]
fn broker() -> Result<(), Failures> {
    block_on(conformance::broker(&Memory::default()))
}

#[test]
fn presence() -> Result<(), Failures> {
    block_on(conformance::presence(&Memory::default()))
}

#[test]
fn registry() -> Result<(), Failures> {
    block_on(conformance::registry(&Memory::default()))
}
