//! The account and the session of an access token: `GET`, `PUT` and `DELETE /auth/v1/user`,
//! `GET /auth/v1/reauthenticate`, `POST /auth/v1/logout`.

use std::sync::Arc;

use lambda_http::{Body, Request, RequestExt, Response, http::StatusCode};
use serde::Serialize;
use serde_json::Value;

use super::{
    fields::{no_email, phone_in, scalar},
    refusal::{Problem, Refusal, answer, refuse_for},
    session::UserAnswer,
};
use crate::{
    app::App,
    dialect::{
        bearer,
        body::{Fields, malformed},
        guard::guard,
        respond, source,
    },
    domain::{
        access_token::Bearer,
        code::Guess,
        error::{Error, Field},
        password::{LONGEST, Password},
        time::UnixMs,
        user::User,
    },
    flow::{
        access_token, delete,
        session::{self, Ended},
        update::{self, Update},
    },
    telemetry::record,
};

/// Answers with the account.
pub async fn user(app: &Arc<App>, request: &Request, now: UnixMs) -> Response<Body> {
    let read = async { Ok(access_token::check(app, shown_token(request)?, now).await?) };
    respond_with_user("user", request, guard(read).await, now)
}

/// Changes the account: its phone, its password, what the app keeps with it.
pub async fn update_user(app: &Arc<App>, request: &Request, now: UnixMs) -> Response<Body> {
    let updated = guard(update(app, request, now)).await;
    respond_with_user("update-user", request, updated, now)
}

fn respond_with_user(
    endpoint: &'static str,
    request: &Request,
    user: Result<(Bearer, User), Problem>,
    now: UnixMs,
) -> Response<Body> {
    let answered = user.and_then(|(bearer, user)| {
        let held = user.sessions.get(bearer.session_id);
        let held = held.ok_or(Error::UserNotFound)?;
        Ok(respond(200, &UserAnswer::new(&user, held, now)?))
    });
    match answered {
        Ok(answer) => {
            record::answered(endpoint, "OK", None);
            answer
        }
        Err(problem) => refuse_for(endpoint, request, problem),
    }
}

async fn update(app: &Arc<App>, request: &Request, now: UnixMs) -> Result<(Bearer, User), Problem> {
    let bearer = bearer_of(app, request, now).await?;
    let fields = Fields::of(request)?;
    if scalar(&fields, "email").is_some() {
        return Err(no_email(422).into());
    }
    if fields.value("app_metadata").is_some() {
        let message = "Updating app_metadata requires admin privileges";
        return Err(Refusal::new(403, "not_admin", message).into());
    }
    let phone = match scalar(&fields, "phone") {
        Some(phone) => Some(phone_in(&phone, app)?),
        None => None,
    };
    let password = new_password(&fields)?;
    let data = match fields.value("data") {
        None => None,
        Some(Value::Object(data)) => Some(data),
        Some(_) => return Err(Refusal::invalid("data must be an object").into()),
    };
    let nonce = scalar(&fields, "nonce");
    let guess = nonce.as_deref().and_then(Guess::parse);
    let changes = Update {
        phone: phone.as_ref(),
        password: password.as_ref(),
        nonce: guess.as_ref(),
        data,
    };
    let source = source(request, app);
    let updated = update::update(app, &bearer, changes, &source, now).await;
    let user = updated.map_err(|error| of_nonce(error, nonce.is_some()))?;
    Ok((bearer, user))
}

/// The problem where a nonce is the only code. One without any digit is no code to the core.
fn of_nonce(error: Error, is_given: bool) -> Problem {
    match error {
        Error::ReauthenticationNeeded if !is_given => error.into(),
        Error::CodeWrong | Error::CodeExpired { .. } | Error::ReauthenticationNeeded => {
            let message = "Nonce has expired or is invalid";
            Refusal::new(422, "reauthentication_not_valid", message).into()
        }
        error => error.into(),
    }
}

/// Deletes the account.
pub async fn delete_user(app: &Arc<App>, request: &Request, now: UnixMs) -> Response<Body> {
    let deleted = async {
        let bearer = bearer_of(app, request, now).await?;
        let fields = Fields::of(request)?;
        let nonce = scalar(&fields, "nonce");
        let guess = nonce.as_deref().and_then(Guess::parse);
        let deleted = delete::by_nonce(app, &bearer, guess.as_ref(), now).await;
        deleted.map_err(|error| of_nonce(error, nonce.is_some()))
    };
    done("delete-user", request, guard(Box::pin(deleted)).await)
}

fn new_password(fields: &Fields) -> Result<Option<Password>, Problem> {
    if fields.value("password").is_none() {
        return Ok(None);
    }
    let text = fields
        .exact_text("password", malformed(Field::Password))?
        .unwrap_or_default();
    match Password::parse(&text) {
        Some(password) => Ok(Some(password)),
        None if text.chars().count() > LONGEST => {
            Err(Refusal::invalid("Password cannot be longer than 64 characters").into())
        }
        None => Err(Refusal::weak_password().into()),
    }
}

#[derive(Serialize)]
struct Nothing {}

/// Sends the nonce that permits an old session to set a password; with `?for=delete`, the one that permits the
/// deletion of the account.
pub async fn reauthenticate(app: &Arc<App>, request: &Request, now: UnixMs) -> Response<Body> {
    let sent = async {
        let bearer = bearer_of(app, request, now).await?;
        let source = source(request, app);
        let query = request.query_string_parameters_ref();
        match query.and_then(|query| query.first("for")) {
            Some("delete") => delete::send_nonce(app, &bearer, &source, now).await?,
            None | Some("") => update::reauthenticate(app, &bearer, &source, now).await?,
            Some(_) => return Err(Refusal::invalid("Unsupported reauthentication").into()),
        }
        Ok(Nothing {})
    };
    answer("reauthenticate", request, sent).await
}

/// Ends sessions: the one that asks, the others, or all.
pub async fn logout(app: &Arc<App>, request: &Request, now: UnixMs) -> Response<Body> {
    let ended = async {
        let (bearer, _) = access_token::check(app, shown_token(request)?, now).await?;
        refuse_exchanged(&bearer)?;
        let query = request.query_string_parameters_ref();
        let ended = match query.and_then(|query| query.first("scope")) {
            None | Some("global") => Ended::All,
            Some("local") => Ended::This,
            Some("others") => Ended::Others,
            Some(_) => return Err(Refusal::invalid("Unsupported logout scope").into()),
        };
        Ok(session::end_some(app, bearer.uid, bearer.session_id, ended).await?)
    };
    done("logout", request, guard(ended).await)
}

/// Answers that it is done, without a body.
fn done(endpoint: &'static str, request: &Request, result: Result<(), Problem>) -> Response<Body> {
    match result {
        Ok(()) => {
            record::answered(endpoint, "OK", None);
            let mut answer = Response::new(Body::Empty);
            *answer.status_mut() = StatusCode::NO_CONTENT;
            answer
        }
        Err(problem) => refuse_for(endpoint, request, problem),
    }
}

/// The token in `Authorization`.
fn shown_token(request: &Request) -> Result<&str, Error> {
    let header = request.headers().get("authorization");
    let header = header.and_then(|value| value.to_str().ok());
    header.and_then(bearer).ok_or(Error::TokenMissing)
}

/// Who shows an access token of dialect D. Whether its session goes on, the flow says.
async fn bearer_of(app: &App, request: &Request, now: UnixMs) -> Result<Bearer, Problem> {
    let bearer = access_token::read(app, shown_token(request)?, now).await?;
    refuse_exchanged(&bearer)?;
    Ok(bearer)
}

/// An exchanged token is for other services. Whoever runs one could act here with what people show there.
fn refuse_exchanged(bearer: &Bearer) -> Result<(), Error> {
    if bearer.exchanged {
        return Err(Error::TokenInvalid);
    }
    Ok(())
}

/// Who shows an access token, if somebody does: the SDKs show their API key where they have none.
pub(super) async fn bearer_if_any(
    app: &App,
    request: &Request,
    now: UnixMs,
) -> Result<Option<Bearer>, Problem> {
    match bearer_of(app, request, now).await {
        Ok(bearer) => Ok(Some(bearer)),
        Err(Problem::Core(error @ Error::Internal(_))) => Err(error.into()),
        Err(_) => Ok(None),
    }
}
