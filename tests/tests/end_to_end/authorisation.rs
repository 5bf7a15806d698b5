//! Users, tokens and keys with the programs that use them: curl, ffmpeg, WCS's REST module, and keys and tokens that
//! node's own crypto makes.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::browser::{Browser, Look};
use headwater_tests::origin::Origin;
use headwater_tests::program::{Program, until};
use headwater_tests::source::Source;
use headwater_tests::{heavy_turn, scratch, shared_turn, tools};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(20);
const PASSWORD: &str = "canary-password-4711";

/// The hash that `origin --hash-password` makes.
fn hash(password: &str) -> Result<String> {
    let mut made = Program::start("origin", Command::new(tools::origin()?).arg("--hash-password"))?;
    made.say(password)?;
    Ok(String::from_utf8(made.succeed(SOON)?.output)?.trim().to_owned())
}

/// A token and the end of its entry, as `origin --make-token` makes them.
fn token() -> Result<(String, String)> {
    let made = Program::start("origin", Command::new(tools::origin()?).arg("--make-token"))?.succeed(SOON)?;
    let text = String::from_utf8(made.output)?;
    let token = text.lines().find_map(|line| line.strip_prefix("token: ")).context("no token")?;
    let hash = text.split("sha256$").nth(1).and_then(|rest| rest.split('"').next()).context("no hash")?;
    Ok((token.to_owned(), format!("sha256${hash}")))
}

/// What curl gets: the status, and the body.
fn curl(arguments: &[&str], url: &str) -> Result<(u16, String)> {
    let mut command = Command::new(tools::on_path("curl")?);
    command.args(["-s", "--max-time", "10", "-w", "\n%{http_code}"]).args(arguments).arg(url);
    let output = String::from_utf8(command.output()?.stdout)?;
    let (body, status) = output.rsplit_once('\n').context("no status")?;
    Ok((status.parse()?, body.to_owned()))
}

/// A call with an empty object as its body.
fn call(arguments: &[&str], url: &str) -> Result<(u16, String)> {
    let all = [arguments, &["-H", "Content-Type: application/json", "-d", "{}"]].concat();
    curl(&all, url)
}

fn guarded() -> Result<(Origin, String)> {
    let (token, token_hash) = token()?;
    let users = format!(r#"["anna:operator:{}"]"#, hash(PASSWORD)?);
    let tokens = format!(r#"["grafana:viewer:{token_hash}"]"#);
    let keys = r#"["publish:**:in-key-4711"]"#;
    let keys = [("ACCESS__USERS", users.as_str()), ("ACCESS__TOKENS", &tokens), ("ACCESS__STREAM_KEYS", keys)];
    Ok((Origin::configured(&keys)?, token))
}

#[test]
fn curl_calls_rest_as_a_user_or_with_a_token_and_guessing_is_slowed_down() -> Result<()> {
    let _turn = shared_turn();
    let (origin, token) = guarded()?;
    let _source = Source::default().publish(&origin.rtmp("cam?key=in-key-4711"))?;
    let (find, end) = (origin.page("/rest-api/stream/find_all"), origin.page("/rest-api/stream/terminate"));
    let user = format!("anna:{PASSWORD}");
    let bearer = format!("Authorization: Bearer {token}");
    let finds = || call(&["-H", &bearer], &find).is_ok_and(|(status, body)| status == 200 && body.contains("cam"));
    until("a viewer sees the stream", SOON, finds)?;

    let page = origin.page("/metrics");
    ensure!(curl(&[], &page)?.0 == 401 && curl(&["-H", &bearer], &page)?.0 == 200, "metrics take a viewer");
    ensure!(curl(&[], &origin.page("/?action=stat"))?.0 == 401, "so does the statistics page");
    ensure!(curl(&["-u", &user], &origin.page("/?action=stat"))?.0 == 200, "which shows itself to users");
    ensure!(curl(&[], &origin.page("/readyz"))?.0 == 200, "health is free");
    let (status, body) = call(&["-H", &bearer], &end)?;
    ensure!(status == 403 && body.contains("takes the role operator"), "{status} {body}");
    ensure!(call(&[], &end)?.0 == 401, "nobody ends streams");
    ensure!(call(&["-u", &user, "-H", "Origin: http://evil.example"], &end)?.0 == 403, "a foreign page ends none");
    ensure!(call(&["-u", &user], &end)?.0 == 200, "an operator does");
    until("the log says who it was", SOON, || {
        origin.log().contains("changed by REST") && origin.log().contains("anna")
    })?;

    let mut statuses = Vec::new();
    for _ in 0..15 {
        statuses.push(call(&["-u", "anna:guess"], &find)?.0);
    }
    ensure!(statuses.contains(&429) && statuses[..5].iter().all(|status| *status == 401), "{statuses:?}");
    ensure!(call(&["-u", &user, "--interface", "127.0.0.77"], &find)?.0 != 429, "other addresses are heard");
    let log = origin.log();
    ensure!(!log.contains("4711") && !log.contains(&token), "a secret stands in the log:\n{log}");
    origin.stop()?;
    Ok(())
}

/// Loads the module, gives it of a browser what it asks for, one that knows name and password when it is asked for
/// them, and prints what two calls answer.
const SDK: &str = r#"
const [base, user] = process.argv.slice(1);
globalThis.XMLHttpRequest = class {
  open(method, url) { Object.assign(this, { method, url, headers: {} }); }
  setRequestHeader(name, value) { this.headers[name] = value; }
  async send(body) {
    const ask = (more) => fetch(this.url, { method: this.method, headers: { ...this.headers, ...more }, body });
    let answer = await ask({});
    const challenge = answer.headers.get('www-authenticate') || '';
    if (answer.status === 401 && challenge.includes('Basic') && user) {
      answer = await ask({ Authorization: 'Basic ' + btoa(user) });
    }
    Object.assign(this, { status: answer.status, response: await answer.text(), readyState: 4 });
    this.onreadystatechange();
    this.onload();
  }
};
const calls = require('@flashphoner/websdk/src/rest-module.js').instance(base, base);
const settle = (promise) => Promise.resolve(promise).then((value) => ({ value }), (error) => ({ error: error ? error.status : 'refused' }));
(async () => console.log(JSON.stringify({ found: await settle(calls.stream.findAll()) })))();
"#;

#[test]
fn the_rest_module_of_wcs_gets_in_where_its_browser_knows_name_and_password() -> Result<()> {
    let _turn = shared_turn();
    let (origin, token) = guarded()?;
    let _source = Source::default().publish(&origin.rtmp("cam?key=in-key-4711"))?;
    let bearer = format!("Authorization: Bearer {token}");
    let find = origin.page("/rest-api/stream/find_all");
    until("the stream is there", SOON, || call(&["-H", &bearer], &find).is_ok_and(|(status, _)| status == 200))?;
    let base = format!("http://{}:8081", origin.host());
    let run = |user: &str| -> Result<Value> {
        let mut node = Command::new(tools::on_path("node")?);
        node.current_dir(tools::folder().join("node")).args(["-e", SDK, &base, user]);
        let ended = Program::start("node", &mut node)?.succeed(SOON)?;
        serde_json::from_slice(&ended.output).with_context(|| ended.messages.clone())
    };
    let said = run(&format!("anna:{PASSWORD}"))?;
    ensure!(said["found"]["value"][0]["name"] == "cam", "{said}");
    let said = run("")?;
    ensure!(said["found"]["value"].is_null(), "it gets in without: {said}");
    origin.stop()?;
    Ok(())
}

#[test]
fn who_has_no_credentials_plays_on_the_page_and_is_told_that_the_list_takes_a_role() -> Result<()> {
    let _turn = heavy_turn();
    let (origin, token) = guarded()?;
    let _source = Source::default().publish(&origin.rtmp("cam?key=in-key-4711"))?;
    let bearer = format!("Authorization: Bearer {token}");
    let find = origin.page("/rest-api/stream/find_all");
    until("the stream is there", SOON, || call(&["-H", &bearer], &find).is_ok_and(|(status, _)| status == 200))?;
    let mut browser = Browser::open(&origin.page("/play/cam"), &Look::default())?;
    browser.wait_frames(60, SOON)?;
    browser.finish()?;
    let shown = Browser::open(&origin.page("/"), &Look::default())?.finish()?;
    ensure!(shown.text.contains("only to those who have a role") && !shown.text.contains("cam"), "{}", shown.text);
    origin.stop()?;
    Ok(())
}

#[test]
fn who_signs_in_on_the_page_with_name_and_password_sees_the_list() -> Result<()> {
    let _turn = heavy_turn();
    let (origin, token) = guarded()?;
    let _source = Source::default().publish(&origin.rtmp("cam-17?key=in-key-4711"))?;
    let bearer = format!("Authorization: Bearer {token}");
    let find = origin.page("/rest-api/stream/find_all");
    until("the stream is there", SOON, || call(&["-H", &bearer], &find).is_ok_and(|(status, _)| status == 200))?;
    for (password, is_let_in) in [(PASSWORD, true), ("guess", false)] {
        let shown = Browser::sign_in(&origin.page("/"), ("anna", password), "cam-17")?.finish()?;
        let is_shown = shown.text.contains("cam-17") && !shown.text.contains("only to those who have a role");
        let waits = shown.complaints.iter().any(|complaint| complaint.starts_with("error: "));
        ensure!((is_shown, waits) == (is_let_in, !is_let_in), "{password}: {} {:?}", shown.text, shown.complaints);
    }
    origin.stop()?;
    Ok(())
}

/// Serves the sets of keys that it is told, and makes keys and tokens: one JSON request a line, one answer a line.
const ISSUER: &str = r#"
const crypto = require('crypto'), fs = require('fs'), https = require('https');
const [folder] = process.argv.slice(1);
const kinds = {
  RS256: () => crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: () => crypto.generateKeyPairSync('ed25519'),
};
const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const sign = (alg, key, kid, claims) => {
  const message = part({ alg, typ: 'JWT', kid }) + '.' + part({ exp: Math.floor(Date.now() / 1000) + 300, ...claims });
  const hash = alg === 'EdDSA' ? null : 'sha256';
  return message + '.' + crypto.sign(hash, message, { key, dsaEncoding: 'ieee-p1363' }).toString('base64url');
};
const keys = {};
let served = [];
for (const [alg, make] of Object.entries(kinds)) {
  keys[alg] = make();
  fs.writeFileSync(`${folder}/${alg}.pem`, keys[alg].publicKey.export({ type: 'spki', format: 'pem' }));
}
const server = https.createServer({ key: fs.readFileSync(`${folder}/tls.key`), cert: fs.readFileSync(`${folder}/tls.pem`) },
  (request, answer) => answer.end(JSON.stringify({ keys: served })));
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: server.address().port })));
require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const { serve, alg, kid, claims } = JSON.parse(line);
  if (serve) {
    served = serve.map((alg) => ({ ...keys[alg].publicKey.export({ format: 'jwk' }), kid: alg, use: 'sig', alg }));
    console.log(JSON.stringify({ served: served.length }));
  } else {
    console.log(JSON.stringify({ token: sign(alg, keys[alg].privateKey, kid, claims) }));
  }
});
"#;

/// Who makes tokens, in node.
struct Issuer {
    program: Program,
    answers: usize,
    port: u64,
}

impl Issuer {
    fn start(folder: &Path) -> Result<Issuer> {
        std::fs::create_dir_all(folder)?;
        let mut certificate = Command::new(tools::on_path("openssl")?);
        certificate.current_dir(folder).args(["req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2"]);
        certificate.args(["-keyout", "tls.key", "-out", "tls.pem", "-subj", "/CN=issuer"]);
        certificate.args(["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]);
        Program::start("openssl", &mut certificate)?.succeed(SOON)?;
        let mut node = Command::new(tools::on_path("node")?);
        node.args(["-e", ISSUER]).arg(folder);
        let mut issuer = Issuer { program: Program::start("the issuer", &mut node)?, answers: 0, port: 0 };
        issuer.port = issuer.answer()?["port"].as_u64().context("no port")?;
        Ok(issuer)
    }

    fn answer(&mut self) -> Result<Value> {
        let line = |program: &Program, at: usize| {
            let output = String::from_utf8_lossy(&program.output()).into_owned();
            output.split_inclusive('\n').filter(|line| line.ends_with('\n')).nth(at).map(str::to_owned)
        };
        let at = self.answers;
        until("the issuer answers", SOON, || line(&self.program, at).is_some())
            .with_context(|| self.program.messages())?;
        self.answers += 1;
        Ok(serde_json::from_str(&line(&self.program, at).unwrap_or_default())?)
    }

    fn serve(&mut self, algorithms: &Value) -> Result<()> {
        self.program.say(&serde_json::json!({ "serve": algorithms }).to_string())?;
        self.answer().map(drop)
    }

    fn token(&mut self, alg: &str, kid: Option<&str>, claims: &Value) -> Result<String> {
        self.program.say(&serde_json::json!({ "alg": alg, "kid": kid, "claims": claims }).to_string())?;
        Ok(self.answer()?["token"].as_str().context("no token")?.to_owned())
    }
}

#[test]
fn tokens_of_another_program_are_taken_with_keys_from_files_and_from_an_address() -> Result<()> {
    let _turn = shared_turn();
    let folder = scratch("issuer")?;
    let mut issuer = Issuer::start(&folder)?;
    issuer.serve(&serde_json::json!(["EdDSA"]))?;
    let path = |name: &str| folder.join(name).display().to_string();
    let address = format!("https://127.0.0.1:{}/keys", issuer.port);
    let claims = serde_json::json!({ "sub": "anna", "publish": ["live-*"], "role": "viewer" });
    let files = format!(r#"["RS256:file:{}", "ES256:file:{}"]"#, path("RS256.pem"), path("ES256.pem"));

    let origin = Origin::configured(&[("ACCESS__TOKEN_KEYS", &files)])?;
    for alg in ["RS256", "ES256"] {
        let token = issuer.token(alg, None, &claims)?;
        let encoder = Source::default().publish(&origin.rtmp(&format!("live-{alg}?token={token}")))?;
        until("ffmpeg publishes", SOON, || origin.log().contains("let in"))?;
        let bearer = format!("Authorization: Bearer {token}");
        let find = origin.page("/rest-api/stream/find_all");
        let finds = || call(&["-H", &bearer], &find).is_ok_and(|(_, body)| body.contains(&format!("live-{alg}")));
        until("its publisher sees the stream", SOON, finds).with_context(|| origin.log())?;
        encoder.kill();
        let _stranger = Source::default().publish(&origin.rtmp(&format!("other-{alg}?token={token}")))?;
        let refusal = format!("these credentials are good, but not for publishing other-{alg}");
        until("another stream is refused", SOON, || origin.log().contains(&refusal))?;
    }
    let wrong = issuer.token("EdDSA", None, &claims)?;
    let bearer = format!("Authorization: Bearer {wrong}");
    ensure!(call(&["-H", &bearer], &origin.page("/rest-api/stream/find_all"))?.0 == 401, "a key that is not there");
    ensure!(!origin.log().contains(&wrong), "a token stands in the log");
    origin.stop()?;

    let authority = path("tls.pem");
    let keys = [
        ("ACCESS__KEY_SET", address.as_str()),
        ("ACCESS__KEY_SET_AUTHORITIES", &authority),
        ("LIMITS__ACCESS_KEY_SET_MS", "300"),
    ];
    let origin = Origin::configured(&keys)?;
    let find = origin.page("/rest-api/stream/find_all");
    let status =
        |token: &str| call(&["-H", &format!("Authorization: Bearer {token}")], &find).map(|(status, _)| status);
    let (known, later) =
        (issuer.token("EdDSA", Some("EdDSA"), &claims)?, issuer.token("ES256", Some("ES256"), &claims)?);
    until("the keys are fetched", SOON, || status(&known).is_ok_and(|status| status == 404))?;
    ensure!(status(&later)? == 401, "a key that the set does not hold yet");
    issuer.serve(&serde_json::json!(["EdDSA", "ES256"]))?;
    until("the new key is fetched when a token names it", SOON, || status(&later).is_ok_and(|status| status == 404))?;
    origin.stop()?;
    Ok(())
}
