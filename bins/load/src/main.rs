//! Load agents for the command line: a run file in, progress while it runs, a table and a file of JSON at the end.

mod table;

use std::{io::Write, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, Result};
use clap::Parser;
use headwater_load::{Bounds, Options, Outcome, Phase, Plan, Run};
use indicatif::{ProgressBar, ProgressStyle};

/// Has agents publish and play at a server, as a run file says, and tells what they have seen.
#[derive(Debug, Parser)]
#[command(
    name = "load",
    version,
    after_help = "Ends with 0 if all that the run file expects was kept, with 1 if not, and with 2 if the run could not begin.\n\
    Ctrl-C has the agents leave; what was found until then is told."
)]
struct Arguments {
    /// The run file: TOML, or JSON where its name ends so.
    #[arg(value_name = "FILE")]
    plan: PathBuf,
    /// Let agents go to this host, address or network besides loopback; may be given several times.
    #[arg(long, value_name = "HOST")]
    allow: Vec<String>,
    /// Trust the authorities in this PEM file besides those of browsers.
    #[arg(long, value_name = "FILE")]
    authorities: Option<PathBuf>,
    /// Write the result to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Hold all agents for so many seconds, in place of what the run file says.
    #[arg(long, value_name = "SECONDS")]
    hold: Option<f64>,
    /// Have no more agents than this.
    #[arg(long, value_name = "COUNT", default_value_t = Bounds::of_limits().agents_max)]
    agents_max: u64,
    /// Have no more agents come or leave in a second than this.
    #[arg(long, value_name = "COUNT", default_value_t = Bounds::of_limits().rate_max)]
    rate_max: f64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "error".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run(&arguments) {
        Ok(outcome) if outcome.phase == Phase::Failed => ExitCode::from(2),
        Ok(outcome) if outcome.is_as_expected() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "load: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<Outcome> {
    let mut plan = read(arguments)?;
    if let Some(hold) = arguments.hold {
        plan.hold_s = hold;
    }
    let mut options =
        Options { authorities: arguments.authorities.clone(), may_read_files: true, ..Options::default() };
    options.allowed.extend(arguments.allow.iter().cloned());
    options.bounds.agents_max = arguments.agents_max;
    options.bounds.rate_max = arguments.rate_max;
    raise_descriptors();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let outcome = runtime.block_on(async {
        let run = Run::start(plan, &options)?;
        anyhow::Ok(watch(&run).await)
    })?;
    table::write(&outcome, &mut std::io::stdout().lock())?;
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string_pretty(&outcome)?;
        std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(outcome)
}

fn read(arguments: &Arguments) -> Result<Plan> {
    let path = &arguments.plan;
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let is_json = path.extension().is_some_and(|extension| extension == "json");
    let plan = if is_json { Plan::from_json(&text) } else { Plan::from_toml(&text) };
    plan.with_context(|| path.display().to_string())
}

/// Shows how the run goes until it is over; Ctrl-C has the agents leave.
async fn watch(run: &Run) -> Outcome {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed_precise} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    let mut finished = std::pin::pin!(run.finished());
    let mut stopped = false;
    let outcome = loop {
        tokio::select! {
            outcome = &mut finished => break outcome,
            signal = tokio::signal::ctrl_c(), if !stopped => {
                // Where there are no signals, the run ends by itself.
                stopped = true;
                if signal.is_ok() {
                    run.stop();
                }
            }
            () = tokio::time::sleep(Duration::from_secs(1)) => bar.set_message(table::line(&run.outcome())),
        }
    };
    bar.finish_and_clear();
    outcome
}

/// Each viewer has a socket of its own: as many files as the system lets this process have.
fn raise_descriptors() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}
