//! The control plane: REST API, metrics, health.
