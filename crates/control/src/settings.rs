//! The configuration of a server that runs; whoever holds it brings it.

use headwater_graph::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// One key of the configuration.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Setting)]
pub struct SettingObject {
    /// The section.
    pub section: String,
    /// The key.
    pub key: String,
    /// The value, as TOML. Left out where it is a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The value where nobody sets another, as TOML.
    pub default: String,
    /// What it does.
    pub about: String,
    /// Who set it: a line of the file, the environment, an option, a call, or nobody.
    pub place: String,
    /// Whether another value takes effect without a new start.
    pub live: bool,
}

/// What has become of a configuration that was read again. Keys as `section.key`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Reloaded)]
pub struct ReloadedObject {
    /// Keys whose new value is in force.
    pub applied: Vec<String>,
    /// Keys whose new value takes effect at the next start.
    pub waiting: Vec<String>,
}

/// The configuration of a server that runs.
pub trait Settings: Send + Sync + 'static {
    /// Every key with its value in force or, where it waits for a new start, the value to come.
    fn list(&self) -> Vec<SettingObject>;

    /// Reads everything again.
    ///
    /// # Errors
    /// Each thing that is wrong, in a sentence; nothing has changed then.
    fn reload(&self) -> BoxFuture<'static, Result<ReloadedObject, Vec<String>>>;

    /// Sets a key, for as long as the server runs or, with `persist`, in its file.
    ///
    /// # Errors
    /// Each thing that is wrong, in a sentence; nothing has changed then.
    fn set(&self, change: SettingChange) -> BoxFuture<'static, Result<ReloadedObject, Vec<String>>>;
}

/// Another value for a key.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SettingChange {
    /// The section.
    #[schema(example = "streams")]
    pub section: String,
    /// The key.
    #[schema(example = "grace_ms")]
    pub key: String,
    /// The value: a number, a text, true or false, or a list.
    #[schema(value_type = Object, example = 5000)]
    pub value: Value,
    /// Whether it is written into the configuration file as well, so that it outlives the server.
    #[serde(default)]
    pub persist: bool,
}
