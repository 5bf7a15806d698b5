//! What users see of the configuration: defaults, overrides and errors.

use std::net::{IpAddr, Ipv4Addr};

use super::{load::variable, *};

fn problems(text: &str) -> String {
    match Config::parse(text, "test.toml") {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

fn environment(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Config::load(&Sources { environment, ..Sources::default() })
}

#[test]
fn the_printed_defaults_are_read_back_as_the_defaults() {
    let defaults = Config::default();
    let text = defaults.to_toml();
    let read = Config::parse(&text, "default.toml").map_err(|error| error.to_string()).unwrap();
    assert_eq!(read.to_toml(), text);
    for section in defaults.sections() {
        for key in section.keys() {
            assert_eq!(section.get(key.name).as_deref(), Some(key.default.as_str()), "{}.{}", section.name(), key.name);
            assert_ne!(read.place(section.name(), key.name), Place::Default, "{}.{}", section.name(), key.name);
        }
    }
}

#[test]
fn every_key_says_what_it_is_for_and_has_an_environment_variable() {
    for section in Config::default().sections() {
        for key in section.keys() {
            let name = format!("{}.{}", section.name(), key.name);
            assert!(key.about.ends_with('.') && key.about.len() > 15, "{name}: {}", key.about);
            let variable = variable(section.name(), key.name);
            let value = different(&key);
            let config = environment(&[(&variable, &value), ("HEADWATER__LISTEN__INSECURE", "true")]);
            let config = match config {
                Ok(config) => config,
                // Only a pair of keys that belong together is refused with one of them alone.
                Err(error) => {
                    let words = error.to_string();
                    assert!(words.contains("Set both") || words.contains(" beside it"), "{variable}={value}: {words}");
                    continue;
                }
            };
            assert_eq!(config.place(section.name(), key.name), Place::Environment(variable.clone()));
            if name != "listen.insecure" {
                assert_ne!(config.get(section.name(), key.name), Some(key.default), "{variable}={value}");
            }
        }
    }
}

/// A value that the key takes and that is not its default.
fn different(key: &Key) -> String {
    match key.default.as_str() {
        "true" => "false".into(),
        "false" => "true".into(),
        "\"text\"" => "json".into(),
        "\"udp\"" => "tcp".into(),
        number if number.parse::<u64>().is_ok() => match key.name {
            "merge_window_ms" | "shards" => "2".into(),
            "port" => (number.parse::<u64>().unwrap() + 300).to_string(),
            _ => number.parse::<u64>().unwrap().checked_sub(1).unwrap_or(1_000_000).to_string(),
        },
        _ if key.expects.contains("IP address") => "127.0.0.2".into(),
        _ if key.name == "ports" => "[9080, 9081]".into(),
        _ if key.name == "level" => "warn".into(),
        "\"anyone\"" => "authenticated".into(),
        _ if key.expects.contains("\"anyone\"") => "anyone".into(),
        _ if key.about.contains("a hash as `origin") => concat!(
            "[\"anna:viewer:$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzYWx0",
            "$V1xu64Ruh7c4mpmz9DOuUfgOdyg3EtcOhhRf4l1o0dc\"]"
        )
        .into(),
        _ if key.about.contains("sha256$HASH") => format!("[\"ci:viewer:sha256${}\"]", "0".repeat(64)),
        _ if key.name == "stream_keys" => "publish:**:correct horse".into(),
        _ if key.name == "token_keys" => format!("HS256:{}", "0".repeat(32)),
        _ if key.name == "applications" => "defaultApp=https://example.org/hooks".into(),
        _ if key.name == "container" => "ts".into(),
        _ if key.name == "endpoint" => "http://127.0.0.1:4318".into(),
        _ if key.name == "headers" => "authorization=Bearer b".into(),
        _ if key.name == "methods" => "publishStream".into(),
        _ if key.name == "overwrite" => "name".into(),
        _ if key.name == "role" => "edge".into(),
        _ if key.name == "edges" => "wss://edge.example:8443".into(),
        _ if key.name == "mode" => "random".into(),
        _ if key.name == "distribution" => "rtmp".into(),
        "\"fail\"" => "log".into(),
        _ => "other".into(),
    }
}

#[test]
fn errors_say_where_what_and_what_to_do() {
    let cases = [
        ("[rtmp]\nprot = 1\n", "test.toml:2: there is no key \"prot\" in [rtmp]. Did you mean port?"),
        ("\n\n[rtpm]\nport = 1\n", "test.toml:3: there is no section \"rtpm\". Did you mean [rtmp]?"),
        (
            "[rtmp]\nport = 70000\n",
            "test.toml:2: port in [rtmp] must be a whole number from 0 to 65535, but is 70000. \
             Write another value or remove the key to use its default.",
        ),
        ("[rtmp]\nport = \"1935\"", "but is the text \"1935\""),
        ("[rtmp]\nmerge_window_ms = 99999", "must be a whole number from 0 to 2000, but is 99999"),
        ("[rtmp]\nenabled = 1", "must be true or false, but is 1"),
        ("[http]\nports = []", "test.toml:2: ports in [http] is empty"),
        ("[http]\nports = [8080, \"x\"]", "must be a list, each a whole number from 0 to 65535, but is a list of 2"),
        ("[http]\nhosts = [\"http://x\"]", "holds \"http://x\", which is no host name"),
        ("[http]\nports = 1.5", "but is a float"),
        ("[log]\nformat = \"xml\"", "must be \"text\" or \"json\", but is the text \"xml\""),
        ("[log]\nlevel = \"a=b=c\"", "level in [log] is no log level"),
        ("[listen]\naddress = \"localhost\"", "must be an IP address in quotes"),
        ("[limits]\nSDP_BYTES = 5", "there is no key \"SDP_BYTES\" in [limits]. Did you mean sdp_bytes?"),
        ("[limits]\nsdp_bytes = -5", "sdp_bytes in [limits] must be a whole number"),
        ("port = 5", "test.toml:1: the key \"port\" stands outside any section. Did you mean it below a line [rtmp]?"),
        ("rtmp = 5", "test.toml:1: rtmp is the name of a section"),
        ("[rtmp]\nhosts = []", "Did you mean hosts in [http]?"),
        ("[rtmps]\nkey = \"k.pem\"", "test.toml:2: key in [rtmps] is set, but certificate is not. Set both"),
        ("[demo]\nname = \"a b\"", "name in [demo] is no stream name"),
        ("[rtmp]\nport = 8080", "test.toml:2: ports in [http] and port in [rtmp] both take port 8080"),
        ("[rtmp\nport = 5", "test.toml:1: "),
        ("[rtmp]\nport = 5\nport = 6", "test.toml:3: "),
        ("[rtmp]\n\"a\\u001b[31m\\nb\" = 5", "there is no key \"a\\u{1b}[31m\\nb\" in [rtmp]"),
    ];
    for (text, expected) in cases {
        let found = problems(text);
        assert!(found.contains(expected), "{text:?}\n  gave     {found}\n  expected {expected}");
        assert!(!found.contains('\u{1b}') && found.lines().count() <= 2, "{found:?}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let found = problems("[rtmp]\nprot = 1\nport = true\n[htpp]\n");
    assert_eq!(found.lines().count(), 3, "{found}");
}

#[test]
fn an_address_beyond_loopback_needs_credentials_or_the_word_insecure() {
    for text in ["[listen]\naddress = \"0.0.0.0\"", "[rtmp]\naddress = \"192.168.1.2\"", "[webrtc]\naddress = \"::\""] {
        let found = problems(text);
        assert!(found.starts_with("test.toml:2: ") && found.contains("`insecure = true` below [listen]"), "{found}");
    }
    assert_eq!(problems("[listen]\naddress = \"0.0.0.0\"\ninsecure = true"), "");
    let hooks = "[hooks]\napplications = [\"defaultApp=https://example.org\"]\n";
    let found = problems(&format!("[listen]\naddress = \"0.0.0.0\"\n{hooks}"));
    assert!(found.contains("the applications in [hooks] are not asked"), "nobody is asked about REST: {found}");
    assert_eq!(problems("[listen]\naddress = \"::1\""), "");
    let keys = "[access]\nstream_keys = [\"publish:**:correct horse\"]\n";
    assert_eq!(problems(&format!("[listen]\naddress = \"0.0.0.0\"\n{keys}")), "");
}

#[test]
fn listen_moves_every_listener_also_those_with_their_own_address() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("headwater.toml");
    std::fs::write(&file, "[listen]\naddress = \"127.0.0.2\"\n[rtmp]\naddress = \"127.0.0.3\"\n").unwrap();
    let address = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));
    let sources = Sources { file: Some(file), listen: Some(address), demo: true, ..Sources::default() };
    let config = Config::load(&sources).unwrap();
    assert!(config.listeners().iter().all(|listener| listener.address.ip() == address), "{:?}", config.listeners());
    assert!(config.demo.enabled);
}

#[test]
fn the_environment_wins_over_the_file_and_suggests_the_nearest_name() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("headwater.toml");
    std::fs::write(&file, "[rtmp]\nport = 2000\n").unwrap();
    let environment_variables = vec![("HEADWATER__RTMP__PORT".to_owned(), "2001".to_owned())];
    let sources = Sources { file: Some(file), environment: environment_variables, ..Sources::default() };
    assert_eq!(Config::load(&sources).unwrap().get("rtmp", "port").as_deref(), Some("2001"));

    let cases = [
        (("HEADWATER__RTMP__PROT", "1"), "Did you mean HEADWATER__RTMP__PORT?"),
        (("HEADWATER__RTMP_PORT", "1"), "Did you mean HEADWATER__RTMP__PORT?"),
        (("HEADWATER__LIMITS__SDP_BYTE", "1"), "Did you mean HEADWATER__LIMITS__SDP_BYTES?"),
        (("HEADWATER__RTMP__PORT", "many"), "environment variable HEADWATER__RTMP__PORT: port in [rtmp] must be"),
    ];
    for (variable, expected) in cases {
        let found = environment(&[variable]).err().unwrap().to_string();
        assert!(found.contains(expected), "{found}");
    }
    assert!(environment(&[("HEADWATER_HOME", "x"), ("PATH", "y")]).is_ok());
}

#[test]
fn the_environment_gives_lists_and_text_without_quotes() {
    let config = environment(&[
        ("HEADWATER__WEBRTC__PUBLIC_ADDRESSES", "203.0.113.5, 2001:db8::1"),
        ("HEADWATER__HTTP__PORTS", "9000"),
        ("HEADWATER__HTTP__HOSTS", "a.example.org"),
        ("HEADWATER__DEMO__NAME", "2026"),
        ("HEADWATER__LOG__LEVEL", "warn\nv = 3"),
    ]);
    let found = config.err().unwrap().to_string();
    assert!(found.contains("level in [log]") && found.lines().count() == 1, "{found}");
    let config = environment(&[
        ("HEADWATER__WEBRTC__PUBLIC_ADDRESSES", "203.0.113.5, 2001:db8::1"),
        ("HEADWATER__HTTP__PORTS", "9000"),
        ("HEADWATER__HTTP__HOSTS", "a.example.org"),
        ("HEADWATER__DEMO__NAME", "2026"),
    ])
    .unwrap();
    assert_eq!(config.get("webrtc", "public_addresses").as_deref(), Some("[\"203.0.113.5\", \"2001:db8::1\"]"));
    assert_eq!((config.http.ports, config.demo.name.as_str()), (vec![9000], "2026"));
}

#[test]
fn limits_are_read_by_name() {
    let config = Config::parse("[limits]\nsdp_lines = 17\n", "test.toml").unwrap();
    assert_eq!(config.get("limits", "sdp_lines").as_deref(), Some("17"));
    assert_eq!(config.get("limits", "sdp_media").as_deref(), Some("32"));
}

#[test]
fn a_missing_or_huge_file_is_told_with_its_path() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("none.toml");
    let huge = directory.path().join("huge.toml");
    std::fs::write(&huge, " ".repeat((1 << 20) + 1)).unwrap();
    for (file, expected) in [(missing, "cannot read"), (huge, "larger than")] {
        let sources = Sources { file: Some(file), ..Sources::default() };
        let found = Config::load(&sources).err().unwrap().to_string();
        assert!(found.contains(expected), "{found}");
    }
}

#[test]
fn a_file_of_any_bytes_is_read_or_refused_in_one_line_for_each_problem() {
    let whole = Config::default().to_toml();
    let mut random = 2_026_u64;
    let mut next = |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % below
    };
    for round in 0..600 {
        let mut bytes = whole.clone().into_bytes();
        for _ in 0..1 + round % 12 {
            let at = next(bytes.len());
            match next(3) {
                0 => bytes[at] = next(256) as u8,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, b"[]\"'=\n\x1b\x00.#{},9"[next(14)]),
            }
        }
        bytes.truncate(bytes.len() - next(bytes.len() / 2));
        let text = String::from_utf8_lossy(&bytes);
        match Config::parse(&text, "bent.toml") {
            Ok(config) => assert!(Config::parse(&config.to_toml(), "again.toml").is_ok()),
            Err(error) => {
                let told = error.to_string();
                assert_eq!(told.lines().count(), error.problems.len(), "{told}");
                assert!(!told.chars().any(|letter| letter.is_control() && letter != '\n'), "{told:?}");
            }
        }
    }
}

#[test]
fn a_file_cut_at_any_byte_is_read_or_refused() {
    let whole = "[rtmp]\nport = 1_935\nenabled = true\n[http]\nports = [8080, 8081]\nhosts = [\"a.b\"]\n";
    for end in 0..=whole.len() {
        let _ = Config::parse(&whole[..end], "cut.toml");
    }
}
