//! The binary as its operator meets it.

#[path = "../../edge/tests/shared/role.rs"]
mod role;

#[test]
fn it_runs_as_every_role_does() {
    role::lives_as("transcoder", env!("CARGO_BIN_EXE_transcoder"));
}
