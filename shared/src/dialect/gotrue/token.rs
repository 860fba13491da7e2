//! `POST /auth/v1/token`: a session for a password or a refresh token, and the [`exchange`](super::exchange).

use std::sync::Arc;

use lambda_http::{Body, Request, RequestExt, Response};

use super::{
    exchange::{self, ENDPOINT, EXCHANGE},
    fields::{no_email, phone, requester, scalar},
    issuer::issuer,
    refusal::{Problem, Refusal, refuse_for},
    session::respond_with,
};
use crate::{
    app::App,
    dialect::{body::Fields, guard::guard},
    domain::{
        error::{Error, Field},
        password::Password,
        time::UnixMs,
    },
    flow::{
        access_token::{self, Grant, Refreshed},
        login::{self, Handle},
    },
};

/// Answers a request for a token.
pub async fn token(app: &Arc<App>, request: &Request, now: UnixMs) -> Response<Body> {
    let fields = match Fields::of(request) {
        Ok(fields) => fields,
        Err(error) => return refuse_for(ENDPOINT, request, error.into()),
    };
    let query = request.query_string_parameters_ref();
    let in_query = query.and_then(|query| query.first("grant_type"));
    let grant_type = in_query.map(str::to_owned);
    let grant_type = grant_type.or_else(|| scalar(&fields, "grant_type"));
    if grant_type.as_deref() == Some(EXCHANGE) {
        return exchange::answer(app, request, &fields, now).await;
    }
    let grant = async {
        match grant_type.as_deref() {
            Some("password") => by_password(app, request, &fields, now).await,
            Some("refresh_token") => by_refresh_token(app, request, &fields, now).await,
            other => Err(no_grant(other).into()),
        }
    };
    match guard(grant).await {
        Ok(grant) => respond_with(ENDPOINT, request, &grant, now),
        // Elsewhere its status is 403.
        Err(Problem::Core(Error::UserDisabled)) => {
            let banned = Refusal::of(&Error::UserDisabled);
            refuse_for(
                ENDPOINT,
                request,
                Refusal {
                    status: 400,
                    ..banned
                }
                .into(),
            )
        }
        Err(problem) => refuse_for(ENDPOINT, request, problem),
    }
}

/// The refusal of a grant that is not here.
fn no_grant(grant_type: Option<&str>) -> Refusal {
    match grant_type {
        Some("id_token") => Refusal::new(400, "provider_disabled", "Provider is not enabled"),
        Some("web3") => Refusal::new(422, "web3_provider_disabled", "Web3 provider is disabled"),
        Some("pkce") => Refusal::new(
            404,
            "flow_state_not_found",
            "Invalid flow state, no valid flow state found",
        ),
        _ => Refusal::new(400, "invalid_credentials", "unsupported_grant_type"),
    }
}

async fn by_password(
    app: &Arc<App>,
    request: &Request,
    fields: &Fields,
    now: UnixMs,
) -> Result<Grant, Problem> {
    let refused = || Problem::Core(Error::LoginRefused { retry_after: None });
    let phone = phone(fields, no_email(422), app).map_err(|problem| match problem {
        Problem::Core(_) => refused(),
        here => here,
    })?;
    let malformed = Error::PasswordRefused(Field::Password);
    let password = fields.exact_text("password", malformed).ok().flatten();
    let password = password.and_then(|password| Password::parse(&password));
    let password = password.ok_or_else(refused)?;
    let handle = Handle {
        phone: Some(&phone),
        name: None,
    };
    let (issuer, requester) = (issuer(request, app)?, requester(request, app));
    let (user, start) = login::by_password(app, handle, &password, &requester, now).await?;
    let session = (start.id, &start.held);
    Ok(access_token::grant(app, &issuer, user, session, now).await?)
}

async fn by_refresh_token(
    app: &Arc<App>,
    request: &Request,
    fields: &Fields,
    now: UnixMs,
) -> Result<Grant, Problem> {
    let refused = |code, message| Err(Refusal::new(400, code, message).into());
    let malformed = Refusal::invalid("Refresh token is not valid");
    let presented = scalar(fields, "refresh_token").ok_or(malformed.clone())?;
    let issuer = issuer(request, app)?;
    match access_token::refresh(app, &issuer, &presented, now).await? {
        Refreshed::Granted(grant) => Ok(*grant),
        Refreshed::Malformed => Err(malformed.into()),
        Refreshed::NotFound => refused(
            "refresh_token_not_found",
            "Invalid Refresh Token: Refresh Token Not Found",
        ),
        Refreshed::AlreadyUsed => refused(
            "refresh_token_already_used",
            "Invalid Refresh Token: Already Used",
        ),
    }
}
