//! Agents within TLS, with tokens and without.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use headwater_load::{Options, Outcome, Plan, Reason, Run};
use headwater_tests::origin::{Origin, free_address};
use headwater_tests::program::Program;
use headwater_tests::{scratch, shared_turn, tools};

use super::{block_on, plan, until};

/// An authority, and the certificate and the key of a server.
struct Identity {
    authority: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl Identity {
    /// Of a server at this address.
    fn new(host: Ipv4Addr) -> Result<Identity> {
        let (authority, authority_key) = (scratch("load-authority.pem")?, scratch("load-authority.key")?);
        let (certificate, key) = (scratch("load.pem")?, scratch("load.key")?);
        let request = |certificate: &PathBuf, key: &PathBuf, name: &str| -> Result<Command> {
            let mut command = Command::new(tools::on_path("openssl")?);
            command.args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "2",
            ]);
            command.arg("-keyout").arg(key).arg("-out").arg(certificate).args(["-subj", &format!("/CN={name}")]);
            Ok(command)
        };
        let mut command = request(&authority, &authority_key, "authority")?;
        command.args(["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"]);
        Program::start("openssl", &mut command)?.succeed(Duration::from_secs(20))?;
        let mut command = request(&certificate, &key, "server")?;
        command.arg("-CA").arg(&authority).arg("-CAkey").arg(&authority_key);
        command.args([
            "-addext",
            &format!("subjectAltName=IP:{host}"),
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ]);
        Program::start("openssl", &mut command)?.succeed(Duration::from_secs(20))?;
        Ok(Identity { authority, certificate, key })
    }
}

const PUBLISHERS: &str = r#"
[[task]]
what = "publish"
target = "https://HOST:8443/whip-{i}/whip"
count = 1
token = "in-key-4711"

[[task]]
what = "publish"
target = "rtmps://HOST:1936/live/rtmp-{i}"
count = 1
token = "in-key-4711"
"#;

const VIEWERS: [&str; 8] = [
    "https://HOST:8443/whip-1/whep",
    "https://HOST:8443/whip-1/index.m3u8",
    "https://HOST:8443/rtmp-1/index.m3u8?container=ts",
    "wss://HOST:8443/mse/rtmp-1",
    "wss://HOST:8443/ws/whip-1",
    "rtmps://HOST:1936/live/rtmp-1",
    "rtmps://HOST:1936/live/whip-1",
    "wss://HOST:8443",
];

fn viewers(count: u32, token: &str) -> String {
    let task = |target: &str| {
        let stream = if target.ends_with(":8443") { "stream = \"rtmp-1\"\n" } else { "" };
        format!("[[task]]\nwhat = \"play\"\ntarget = \"{target}\"\ncount = {count}\nrate = 20\n{stream}{token}\n")
    };
    VIEWERS.map(task).concat()
}

/// Publishes and has viewers come; yields what both have found.
async fn run(host: &str, options: &Options, tasks: &str) -> Result<(Outcome, Outcome)> {
    let begin = |plan: Plan| Run::start(plan, options);
    let publishing = begin(plan(host, 600, PUBLISHERS)?)?;
    until(&publishing, "both publish", |outcome| outcome.tasks.iter().all(|task| task.live == 1)).await?;
    let viewing = begin(plan(host, 8, tasks)?)?.finished().await;
    publishing.stop();
    Ok((publishing.finished().await, viewing))
}

#[test]
fn agents_go_through_tls_and_show_their_tokens() -> Result<()> {
    let _turn = shared_turn();
    let host = free_address()?;
    let identity = Identity::new(host)?;
    let text = |path: &PathBuf| path.to_string_lossy().into_owned();
    let keys = [
        ("TLS__CERTIFICATE", text(&identity.certificate)),
        ("TLS__KEY", text(&identity.key)),
        ("ACCESS__STREAM_KEYS", r#"["publish:**:in-key-4711", "play:**:out-key-4711"]"#.to_owned()),
        ("ACCESS__PLAY", "authenticated".to_owned()),
    ];
    let origin = Origin::at(host, &keys.each_ref().map(|(key, value)| (*key, value.as_str())), &[])?;
    let options = Options { authorities: Some(identity.authority.clone()), ..Options::default() };
    let host = host.to_string();

    let good = viewers(2, "token = \"out-key-4711\"");
    let (publishing, viewing) = block_on(run(&host, &options, &good))?;
    for row in &publishing.tasks {
        ensure!((row.joined, row.left, row.failed) == (1, 1, 0), "{row:?}");
    }
    for row in &viewing.tasks {
        ensure!((row.joined, row.left, row.failed, row.lost) == (2, 2, 0, 0), "{row:?}");
        ensure!(row.pictures > 100 && row.decoded.refused == 0 && row.latency_ms.is_some(), "{row:?}");
    }
    let said = serde_json::to_string(&viewing)? + &serde_json::to_string(&publishing)?;
    ensure!(!said.contains("key-4711"), "{said}");

    // More wrong keys from one address are not looked at.
    for (count, token) in [(2, ""), (1, "token = \"wrong-key-4711\"")] {
        let (_, viewing) = block_on(run(&host, &options, &viewers(count, token)))?;
        for row in &viewing.tasks {
            let told: Vec<_> = row.failures.iter().map(|failure| (failure.reason, failure.count)).collect();
            ensure!(told == [(Reason::Denied, u64::from(count))], "{token}: {row:?}");
        }
        ensure!(!serde_json::to_string(&viewing)?.contains("key-4711"), "{viewing:?}");
    }

    // Without the authority nobody is let through, whoever asks.
    let strangers = block_on(async { Ok(Run::start(plan(&host, 4, &good)?, &Options::default())?.finished().await) })?;
    for row in &strangers.tasks {
        let told: Vec<_> = row.failures.iter().map(|failure| (failure.reason, failure.count)).collect();
        ensure!(told == [(Reason::Tls, 2)], "{row:?}");
    }
    origin.stop()?;
    Ok(())
}
