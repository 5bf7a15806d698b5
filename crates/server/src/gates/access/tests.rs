//! What users see of `[access]`: complaints that help and tell no secret.

use crate::config::Config;

fn problems(lines: &str) -> String {
    match Config::parse(&format!("[access]\n{lines}"), "test.toml") {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzYWx0$V1xu64Ruh7c4mpmz9DOuUfgOdyg3EtcOhhRf4l1o0dc";

#[test]
fn wrong_entries_are_told_by_their_number_with_what_to_write_and_without_their_secrets() {
    let anna = format!("anna:admin:{HASH}");
    for (lines, said) in [
        (format!("users = [\"{anna}\", \"bob:boss:canary\"]"), "number 2 names no role. Write entries such as"),
        (format!("users = [\"{anna}\", \"{anna}\"]"), "number 2 has the name of a user before it"),
        ("users = [\"bob:admin:canary\"]".into(), "`origin --hash-password`"),
        ("tokens = [\"canary\"]".into(), "number 1 does not have three parts"),
        ("stream_keys = [\"publish:**:canary\"]".into(), "number 1 has a secret of less than 8 letters"),
        ("stream_keys = [\"canary:canary:canary\"]".into(), "number 1 begins with neither publish nor play"),
        (
            "stream_keys = [\"play:**:canary canary\"]".into(),
            "nobody is asked for one. Write `play = \"authenticated\"`",
        ),
        ("token_keys = [\"HS256:canary\"]".into(), "number 1 has a secret of less than 32 letters"),
        ("token_keys = [\"none:canary\"]".into(), "number 1 begins with none of HS256"),
        ("token_keys = [\"canary\"]".into(), "number 1 does not have the name of an algorithm"),
        ("play = \"authenticated\"".into(), "play in [access] is \"authenticated\", but there are no users"),
        ("publish = \"canary\"".into(), "must be \"anyone\" or \"authenticated\""),
        ("key_set = \"http://canary\"".into(), "Write an https:// address"),
    ] {
        let found = problems(&lines);
        assert!(found.contains(said) && found.starts_with("test.toml:2: "), "{lines}\n{found}");
        assert!(!found.contains("canary") || lines.starts_with("publish"), "{found}");
    }
    assert_eq!(problems(&format!("users = [\"{anna}\"]\nplay = \"authenticated\"")), "");
}

#[test]
fn credentials_let_the_server_listen_where_others_reach_it() {
    let listen = "[listen]\naddress = \"0.0.0.0\"\n";
    let told = Config::parse(listen, "test.toml").err().map(|error| error.to_string()).unwrap_or_default();
    assert!(told.contains("[access]") && told.contains("`insecure = true`"), "{told}");
    let keyed = format!("{listen}[access]\nstream_keys = [\"publish:**:correct horse\"]\n");
    assert!(Config::parse(&keyed, "test.toml").is_ok());
}

#[tokio::test]
async fn keys_in_files_are_read_at_the_start_and_what_is_wrong_with_them_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("secret"), "0123456789abcdef0123456789abcdef\n").unwrap();
    std::fs::write(path("short"), "short").unwrap();
    let open = |lines: String| {
        let config = Config::parse(&format!("[access]\n{lines}"), "test.toml").unwrap();
        super::open(&config).map_err(|error| error.to_string())
    };
    let key = |name: &str| format!("token_keys = [\"HS256:file:{}\"]", path(name).display());
    assert!(open(key("secret")).unwrap().has_credentials());
    for (lines, said) in [
        (key("short"), "number 1 has a secret of less than 32 letters"),
        (key("none"), "number 1 names a file that cannot be read"),
        (format!("token_keys = [\"HS256:file:{}\"]", directory.path().display()), "is no file"),
        (format!("key_set = \"{}\"", path("secret").display()), "the file of key_set holds no"),
        (format!("key_set = \"{}\"", path("none").display()), "No such file"),
        ("key_set = \"https://user:secret@id.example/keys\"".into(), "key_set holds a user or no host"),
    ] {
        let found = open(lines.clone()).err().unwrap_or_default();
        assert!(found.contains(said) && found.contains("[access], set by test.toml:2"), "{lines}\n{found}");
    }
}
