//! What `examples/deploy` offers, read by the programs that it is written for, and by the server.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::program::{Ended, Program};
use headwater_tests::{scratch, shared_turn, tools};

const ROLES: [&str; 3] = ["origin", "edge", "transcoder"];
const SOON: Duration = Duration::from_secs(30);
/// What a server takes from systemd's list of all that it could be denied, in tenths of ten points.
const EXPOSURE_MAX: &str = "--threshold=20";

fn place(path: &str) -> Result<PathBuf> {
    let root = tools::package().parent().context("the tests are in no workspace")?;
    Ok(root.join("examples/deploy").join(path))
}

fn run(name: &str, command: &mut Command) -> Result<Ended> {
    Program::start(name, command)?.succeed(SOON)
}

/// The server agrees with what it would be told.
fn understands(variables: &[(String, String)], file: Option<&Path>) -> Result<()> {
    let mut command = Command::new(tools::origin()?);
    command.arg("--check-config").envs(variables.iter().map(|(name, value)| (name, value)));
    command.args(file.into_iter().flat_map(|file| [Path::new("--config"), file]));
    run("origin", &mut command).with_context(|| format!("told {variables:?}"))?;
    Ok(())
}

#[test]
fn units_are_read_by_systemd_and_take_few_rights() -> Result<()> {
    let _turn = shared_turn();
    for role in ROLES {
        let name = format!("headwater-{role}.service");
        let unit = std::fs::read_to_string(place("systemd")?.join(&name))?;
        let program = format!("/usr/local/bin/{role} ");
        ensure!(unit.contains(&format!("ExecStart={program}--config /etc/headwater/{role}.toml")), "{unit}");
        // systemd wants the program to be there.
        let here = unit.replace(&program, &format!("{} ", tools::origin()?.display()));
        let file = scratch(&name)?;
        std::fs::write(&file, here)?;
        let analyze = || Command::new("systemd-analyze");
        let verified = run("systemd-analyze", analyze().arg("verify").arg(&file))?;
        ensure!(verified.messages.is_empty(), "{role}: {}", verified.messages);
        run("systemd-analyze", analyze().args(["security", "--offline=true", EXPOSURE_MAX]).arg(&file))?;
        let told = unit.lines().filter_map(|line| line.strip_prefix("Environment=")?.split_once('='));
        understands(&told.map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Vec<_>>(), None)?;
    }
    Ok(())
}

#[test]
fn the_image_is_written_well_and_has_every_role() -> Result<()> {
    let _turn = shared_turn();
    let file = place("docker/Dockerfile")?;
    run("hadolint", Command::new(tools::hadolint()?).arg(&file))?;
    let text = std::fs::read_to_string(file)?;
    for role in ROLES {
        ensure!(text.contains(&format!("--bin {role}")) && text.contains(&format!("target/release/{role}")), "{role}");
    }
    Ok(())
}

#[test]
fn the_chart_is_good_and_its_servers_understand_what_they_are_told() -> Result<()> {
    let _turn = shared_turn();
    let chart = place("helm/headwater")?;
    let helm = |call: &[&str], values: &[&str]| -> Result<String> {
        let mut command = Command::new(tools::helm()?);
        command.args(call).arg(&chart).args(["--namespace", "live"]);
        command.args(values.iter().flat_map(|value| ["--set", value]));
        Ok(String::from_utf8(run("helm", &mut command)?.output)?)
    };
    let open = ["access.insecure=true", "roles.transcoder.enabled=true", "roles.edge.groups={EU,US}"];
    helm(&["lint", "--strict"], &open)?;
    // Whoever has not said who may do what is told so before anything is installed.
    let refused = helm(&["template", "t"], &[]).unwrap_err();
    ensure!(format!("{refused:?}").contains("existingSecret"), "{refused:?}");
    let within_tls = ["access.existingSecret=who", "tls.existingSecret=certificate", "cluster.plain=false"];
    let within_tls = helm(&["template", "t"], &within_tls)?;
    ensure!(within_tls.contains("wss://t-nodes.live.svc.cluster.local:8084"), "{within_tls}");

    let all = helm(&["template", "t"], &open)?;
    let config = all.split("\n---\n").find(|part| part.contains("kind: ConfigMap")).context("no configuration")?;
    let file = scratch("chart.toml")?;
    let (_, config) = config.split_once("headwater.toml: |\n").context("no configuration file")?;
    std::fs::write(&file, config.lines().map(|line| format!("{}\n", line.trim())).collect::<String>())?;
    for role in ROLES {
        let command = format!("command: [/usr/local/bin/{role}, ");
        let part = all.split("\n---\n").find(|part| part.contains(&command)).with_context(|| role.to_owned())?;
        ensure!(part.contains("path: /readyz") && part.contains("runAsNonRoot: true"), "{part}");
        let mut variables = variables(part);
        ensure!(variables.iter().any(|(_, value)| value.contains(&format!("ws://t-{role}-0.t-nodes"))), "{part}");
        variables.push(("HEADWATER__CLUSTER__SECRET".into(), "s".repeat(40)));
        understands(&variables, Some(&file))?;
    }
    Ok(())
}

/// The environment of a workload's first pod.
fn variables(workload: &str) -> Vec<(String, String)> {
    let name = workload.lines().find_map(|line| line.strip_prefix("  name: ")).unwrap_or_default();
    let variable = |line: &str| {
        let (key, value) =
            line.trim().strip_prefix("- { name: HEADWATER__")?.strip_suffix(" }")?.split_once(", value: ")?;
        let value = value.trim_matches('"').replace("$(POD_NAME)", &format!("{name}-0"));
        Some((format!("HEADWATER__{key}"), value.replace("$(HOST_ADDRESS)", "192.0.2.7")))
    };
    workload.lines().filter_map(variable).collect()
}
