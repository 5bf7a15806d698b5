//! Who decides about publishers and viewers of this server, in the order in which they are asked.

mod announce;

use std::sync::Arc;

use headwater_access::{Gate, Gates};
use headwater_control::Journal;

use crate::{config::Config, error::StartError};

/// The gates that the configuration asks for, and the journal's, which is the last.
pub(crate) fn open(_config: &Config, journal: &Journal) -> Result<Gates, StartError> {
    let gates: Vec<Arc<dyn Gate>> = vec![Arc::new(announce::Announce(journal.clone()))];
    Ok(Gates::new(gates))
}
