//! Publishes the built-in test picture.

use headwater_graph::Peer;
use headwater_media::StreamName;
use headwater_transcode::{PatternOptions, TestPattern, test_pattern};

use crate::{config::Demo, error::StartError, protocols::Context};

/// Publishes the test picture under its configured name until the server stops or somebody ends the stream.
pub(crate) fn start(demo: &Demo, context: &Context) -> Result<(), StartError> {
    let failed = |reason: String| StartError::Protocol {
        what: "the test picture",
        reason,
        section: "demo",
        place: context.place("demo", "enabled"),
    };
    let name = StreamName::new(&demo.name).map_err(|error| failed(error.to_string()))?;
    let pattern = TestPattern::new(PatternOptions::default()).map_err(|error| failed(error.to_string()))?;
    let publication =
        context.hub.publish(name, Peer::new("test picture", "demo")).map_err(|error| failed(error.to_string()))?;
    let environment = context.hub.environment().clone();
    context.spawn(async move {
        if let Err(error) = test_pattern::run(pattern, publication, environment).await {
            tracing::error!(%error, "the test picture has ended");
        }
    });
    Ok(())
}
