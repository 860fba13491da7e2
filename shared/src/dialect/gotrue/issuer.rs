//! Who issues access tokens.

use lambda_http::{Request, RequestExt, request::RequestContext};

use crate::{app::App, domain::error::Error};

/// The issuer of access tokens: the configured one, or else the API's own host name, by which it was asked.
pub(super) fn issuer(request: &Request, app: &App) -> Result<String, Error> {
    if let Some(issuer) = &app.config.issuer {
        return Ok(issuer.clone());
    }
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => {
            let host = context.domain_name.as_deref();
            let host = host.ok_or_else(|| Error::internal("no domain name"))?;
            Ok(format!("https://{host}/auth/v1"))
        }
        _ => Err(Error::internal("no request context")),
    }
}
