//! How the program ends: scripts go by it.

use std::{fs, path::PathBuf, process::Command};

/// Runs the program with a run file, and yields its exit code, its table and the result.
fn load(name: &str, plan: &str) -> (Option<i32>, String, Option<serde_json::Value>) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (file, json) = (folder.join(format!("{name}.toml")), folder.join(format!("{name}.json")));
    fs::write(&file, plan).unwrap();
    let _ = fs::remove_file(&json);
    let ended = Command::new(env!("CARGO_BIN_EXE_load")).arg(&file).arg("--json").arg(&json).output().unwrap();
    let result = fs::read(&json).ok().map(|text| serde_json::from_slice(&text).unwrap());
    let said = [ended.stdout, ended.stderr].concat();
    (ended.status.code(), String::from_utf8_lossy(&said).into_owned(), result)
}

/// Two viewers where nobody listens; what is expected of them follows.
fn plan(expect: &str) -> String {
    // A port that was free a moment ago.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    format!(
        "name = \"nobody listens\"\n[[task]]\nwhat = \"play\"\ntarget = \"http://{address}/a/whep\"\ncount = 2\n\
         rate = 100\n[expect]\n{expect}\n"
    )
}

#[test]
fn a_broken_bound_ends_with_one_and_is_told() {
    let (code, table, result) = load("broken", &plan("failed_max = 1"));
    assert_eq!(code, Some(1), "{table}");
    assert!(table.contains("2 x ConnectionRefused") && table.contains("BROKEN: failed_max"), "{table}");
    let result = result.unwrap();
    assert_eq!(result["tasks"][0]["failures"][0]["reason"], "connection_refused", "{result}");
    assert_eq!(result["tasks"][0]["failures"][0]["count"], 2, "{result}");
    assert_eq!(result["checks"][0]["kept"], false, "{result}");
}

#[test]
fn kept_bounds_end_with_zero() {
    let (code, table, result) = load("kept", &plan("failed_max = 2"));
    assert_eq!(code, Some(0), "{table}");
    assert_eq!(result.unwrap()["checks"][0]["kept"], true);
}

#[test]
fn what_cannot_begin_ends_with_two_and_says_why() {
    let cases = [
        ("syntax", "name = 1".to_owned(), "name"),
        ("tasks", "name = \"x\"\ntask = []".to_owned(), "the plan has no task"),
        (
            "file",
            plan("")
                .replace("[[task]]", "[source]\nfile = \"/nowhere.flv\"\n[[task]]")
                .replace("play", "publish")
                .replace("/a/", "/{i}/"),
            "cannot be read",
        ),
    ];
    for (name, plan, words) in cases {
        let (code, said, _) = load(name, &plan);
        assert_eq!(code, Some(2), "{name}: {said}");
        assert!(said.contains(words), "{name}: {said}");
    }
}
