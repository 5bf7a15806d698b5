//! What the REST API answers when it does not do what it was asked.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

/// A refusal: its code is stable and for programs, its sentence is for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    field: Option<String>,
}

/// A refusal as it is sent.
#[derive(Serialize, ToSchema)]
pub(crate) struct Refusal {
    /// For programs; it does not change.
    #[schema(value_type = String)]
    code: &'static str,
    /// For people: what is wrong, and what to do.
    message: String,
    /// The field of the request that is at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
}

impl ApiError {
    /// The peer's request makes no sense.
    pub(crate) fn bad_request(code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError { status: StatusCode::BAD_REQUEST, code, message: message.into(), field: None }
    }

    /// What stands behind the question mark of the address makes no sense.
    pub(crate) fn bad_query(rejection: axum::extract::rejection::QueryRejection) -> ApiError {
        ApiError::bad_request("bad_query", format!("{}.", rejection.body_text().trim_end_matches('.')))
    }

    /// Nothing fits what was asked for.
    pub(crate) fn not_found(message: impl Into<String>) -> ApiError {
        ApiError { status: StatusCode::NOT_FOUND, code: "not_found", message: message.into(), field: None }
    }

    /// The call is part of the API, but not of this server yet, or of neither.
    pub(crate) fn not_implemented(message: impl Into<String>) -> ApiError {
        ApiError { status: StatusCode::NOT_IMPLEMENTED, code: "not_implemented", message: message.into(), field: None }
    }

    /// A refusal with a status of its own.
    pub(crate) fn with_status(status: StatusCode, code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError { status, code, message: message.into(), field: None }
    }

    /// Names the field of the request that is at fault.
    pub(crate) fn in_field(self, field: impl Into<String>) -> ApiError {
        ApiError { field: Some(field.into()), ..self }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = Refusal { code: self.code, message: self.message, field: self.field };
        (self.status, Json(body)).into_response()
    }
}
