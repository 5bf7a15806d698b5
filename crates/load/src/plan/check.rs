//! Whether a plan can be run, before anything is.

use std::time::Duration;

use headwater_media::limits;

use super::{InvalidTarget, Plan, SourcePlan, Target, TaskPlan, What};

/// How much a plan may ask for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Agents at once.
    pub agents_max: u64,
    /// Agents that come or leave in a second.
    pub rate_max: f64,
    /// How long a run may last.
    pub time_max: Duration,
}

impl Bounds {
    /// What the table of limits says.
    pub fn of_limits() -> Bounds {
        Bounds {
            agents_max: limits::LOAD_AGENTS.get(),
            rate_max: limits::LOAD_AGENTS_PER_SECOND.get() as f64,
            time_max: limits::LOAD_RUN_MS.get_duration(),
        }
    }
}

/// Why a plan cannot be run.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// It is neither TOML nor JSON of this form.
    #[error("the plan cannot be read: {0}")]
    Syntax(String),
    /// It has no tasks.
    #[error("the plan has no task")]
    NoTask,
    /// A target is none.
    #[error("{place}: {reason}")]
    Target {
        /// Where in the plan.
        place: String,
        /// What is wrong with it.
        reason: InvalidTarget,
    },
    /// A number makes no sense.
    #[error("{place} is {value}; {allowed}")]
    Number {
        /// Where in the plan.
        place: String,
        /// What stands there.
        value: String,
        /// What may.
        allowed: String,
    },
    /// It asks for more than whoever runs agents allows.
    #[error("{place} is {value}, and no more than {max} is allowed here")]
    TooMuch {
        /// Where in the plan.
        place: String,
        /// What stands there.
        value: String,
        /// What may.
        max: String,
    },
    /// A field belongs to another kind of task.
    #[error("{place}: {reason}")]
    Field {
        /// Where in the plan.
        place: String,
        /// What is wrong.
        reason: &'static str,
    },
}

impl Plan {
    /// Checks all of it against what may be asked for.
    ///
    /// # Errors
    /// The first thing that is wrong, and where it stands.
    pub fn check(&self, bounds: &Bounds) -> Result<(), PlanError> {
        if self.tasks.is_empty() {
            return Err(PlanError::NoTask);
        }
        let most = |place: &str, value: f64, max: f64| match value <= max {
            true => Ok(()),
            false => Err(PlanError::TooMuch { place: place.into(), value: value.to_string(), max: max.to_string() }),
        };
        most("the number of tasks", self.tasks.len() as f64, limits::LOAD_TASKS.get() as f64)?;
        most("the number of agents", self.agents() as f64, bounds.agents_max as f64)?;
        positive("hold_s", self.hold_s)?;
        most("workers", self.workers as f64, 256.0)?;
        self.source.check()?;
        let mut longest: f64 = 0.0;
        for (index, task) in self.tasks.iter().enumerate() {
            let place = format!("task[{index}]");
            task.check(&place)?;
            let rate = 1.0 / task.pause().as_secs_f64();
            most(&format!("{place}.rate"), if task.count > 1 { rate } else { 0.0 }, bounds.rate_max)?;
            most(&format!("{place}.churn"), task.churn, bounds.rate_max)?;
            longest = longest.max(task.start_s + task.pause().as_secs_f64() * f64::from(task.count));
        }
        most("the length of the run in seconds", longest + self.hold_s, bounds.time_max.as_secs_f64())
    }
}

impl TaskPlan {
    fn check(&self, place: &str) -> Result<(), PlanError> {
        let field = |reason| Err(PlanError::Field { place: place.to_owned(), reason });
        if self.count == 0 || self.streams == Some(0) {
            return number(&format!("{place}.count or .streams"), 0.0, "at least one is needed");
        }
        if self.playback.is_some() && self.what != What::Pairs {
            return field("only pairs have a playback");
        }
        if self.balancer.is_some() && self.what != What::Play {
            return field("only those who play ask a balancer");
        }
        let publishes = matches!(self.what, What::Publish | What::Pairs);
        if publishes && self.streams.is_some() {
            return field("two publishers cannot share a stream");
        }
        let is_numbered = |text: &Option<String>| text.as_ref().is_some_and(|text| text.contains(super::NUMBER));
        if publishes && self.count > 1 && !self.target.contains(super::NUMBER) && !is_numbered(&self.stream) {
            return field("publishers need a name each: put {i} into the target, or into `stream`");
        }
        if self.ramp_s.is_none() && !(self.rate.is_finite() && self.rate > 0.0) {
            return number(&format!("{place}.rate"), self.rate, "it has to be above zero");
        }
        positive(&format!("{place}.ramp_s"), self.ramp_s.unwrap_or(0.0))?;
        positive(&format!("{place}.start_s"), self.start_s)?;
        positive(&format!("{place}.churn"), self.churn)?;
        let wrong = |place: String| move |reason| PlanError::Target { place, reason };
        Target::of(self, 0).map_err(wrong(format!("{place}.target")))?;
        if self.what == What::Pairs {
            Target::of_playback(self, 0).map_err(wrong(format!("{place}.playback")))?;
        }
        Ok(())
    }
}

impl SourcePlan {
    fn check(&self) -> Result<(), PlanError> {
        let side = limits::LOAD_PICTURE_SIDE.get() as u32;
        for (place, value) in [("source.width", self.width), ("source.height", self.height)] {
            if !(64..=side).contains(&value) || !value.is_multiple_of(2) {
                return number(place, value.into(), &format!("it has to be even, from 64 to {side}"));
            }
        }
        if !(1..=120).contains(&self.frame_rate) {
            return number("source.frame_rate", self.frame_rate.into(), "it has to be from 1 to 120");
        }
        if !(50_000..=50_000_000).contains(&self.bitrate) {
            return number("source.bitrate", self.bitrate.into(), "it has to be from 50000 to 50000000");
        }
        Ok(())
    }
}

fn positive(place: &str, value: f64) -> Result<(), PlanError> {
    if value.is_finite() && value >= 0.0 { Ok(()) } else { number(place, value, "it has to be a time or a rate") }
}

fn number(place: &str, value: f64, allowed: &str) -> Result<(), PlanError> {
    Err(PlanError::Number { place: place.to_owned(), value: value.to_string(), allowed: allowed.to_owned() })
}
