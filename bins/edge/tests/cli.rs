//! The binary as its operator meets it.

#[path = "shared/role.rs"]
mod role;

#[test]
fn it_runs_as_every_role_does() {
    role::lives_as("edge", env!("CARGO_BIN_EXE_edge"));
}
