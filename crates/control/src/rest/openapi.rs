//! The description of the API for programs: OpenAPI 3.1, made from the calls themselves.

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ContentBuilder, InfoBuilder, License, OpenApi, OpenApiBuilder, RefOr, ResponseBuilder, ServerBuilder,
        path::{Operation, PathItem},
        schema::ComponentsBuilder,
        security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
    },
};

use crate::{authorisation::rule, error::Refusal};

/// The names of the ways to say who calls.
const SCHEMES: [&str; 2] = ["basic", "bearer"];

/// What stands above the calls.
pub(super) fn introduction() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Headwater")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Streams, clients and relays of a Headwater server. Paths, fields and statuses follow Web Call Server 5.2.",
        ))
        .license(Some(License::new(env!("CARGO_PKG_LICENSE"))));
    let scheme = |kind| SecurityScheme::Http(Http::new(kind));
    let components = ComponentsBuilder::new()
        .schema(Refusal::name(), Refusal::schema())
        .security_scheme(SCHEMES[0], scheme(HttpAuthScheme::Basic))
        .security_scheme(SCHEMES[1], scheme(HttpAuthScheme::Bearer));
    let server = ServerBuilder::new().url("/").build();
    OpenApiBuilder::new().info(info.build()).components(Some(components.build())).servers(Some([server])).build()
}

/// Adds to every call what every call may answer.
pub(crate) fn finish(mut description: OpenApi) -> OpenApi {
    for (path, item) in &mut description.paths.paths {
        for operation in operations(item) {
            complete(operation);
            say_who_may(operation, path);
        }
    }
    description
}

/// A server without credentials asks nobody, so that one may also do without.
fn say_who_may(operation: &mut Operation, path: &str) {
    let about = operation.description.take().filter(|about| !about.is_empty());
    let role = format!("Takes the role {} or more, where the server knows users, tokens or keys.", rule(path).least);
    operation.description = Some(about.map_or(role.clone(), |about| format!("{about}\n\n{role}")));
    let either = SCHEMES.map(|name| SecurityRequirement::new(name, Vec::<String>::new()));
    operation.security = Some(either.into_iter().chain([SecurityRequirement::default()]).collect());
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post].into_iter().flatten()
}

fn complete(operation: &mut Operation) {
    let content = || {
        ContentBuilder::new().schema(Some(RefOr::from(utoipa::openapi::Ref::from_schema_name(Refusal::name())))).build()
    };
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && status != "200"
        {
            response.content.insert("application/json".to_owned(), RefOr::T(content()));
        }
    }
    for (status, about) in
        [("4XX", "The call is refused."), ("501", "This server does not have this part of the call yet.")]
    {
        let response = ResponseBuilder::new().description(about).content("application/json", content()).build();
        operation.responses.responses.insert(status.to_owned(), RefOr::T(response));
    }
}
