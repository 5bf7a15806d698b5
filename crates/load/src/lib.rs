//! Load agents: real, light clients that publish and play by a plan, and say what they have seen.
//!
//! A [`Plan`] says who comes, how many and how fast; [`Run::start`] has them come, stay, take turns and leave; an
//! [`Outcome`] says what came of it. Each agent is a session of its own, with a socket, a certificate check and keys of
//! its own: to the server it is what a browser is. Only what a browser does for the eyes is left out: decoding is tried
//! on one agent at a time.
//!
//! | module | what it gives |
//! |---|---|
//! | [`Plan`], [`TaskPlan`], [`Expect`] | a run file, and whether it can be run |
//! | [`abilities`] | what can be asked for |
//! | [`Run`], [`Options`] | a run, and what it may do at most |
//! | [`Outcome`], [`TaskRow`], [`Point`] | what was found |
//! | [`Failure`], [`Reason`] | why an agent did not come about or did not stay |

mod agents;
mod decode;
mod failure;
mod figures;
mod outcome;
mod plan;
mod player;
mod process;
mod run;
mod seen;
mod source;
mod stamp;
mod worker;

pub use failure::{Failure, Reason};
pub use outcome::{Check, DecodedRow, FailureRow, Generator, Outcome, Phase, Point, Quantiles, TaskRow};
pub use plan::{
    Ability, Bounds, Choice, Expect, HlsPlan, InvalidTarget, NUMBER, Plan, PlanError, Protocol, SourcePlan, Target,
    TaskPlan, What, abilities,
};
pub use run::{Options, Run, RunError};
pub use source::SourceError;
