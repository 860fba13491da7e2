//! `GET /auth/v1/user` and `POST /auth/v1/logout`: the session of an access token.

use std::sync::Arc;

use lambda_http::{Body, Request, RequestExt, Response, http::StatusCode};

use super::{
    refusal::{Problem, Refusal, refuse_for},
    session::UserAnswer,
};
use crate::{
    app::App,
    dialect::{bearer, guard::guard, respond},
    domain::{access_token::Bearer, error::Error, time::UnixMs, user::User},
    flow::{
        access_token,
        session::{self, Ended},
    },
    telemetry::record,
};

/// Answers with the account.
pub async fn user(app: &Arc<App>, request: &Request, now: UnixMs) -> Response<Body> {
    let answered = guard(bearer_of(app, request, now)).await;
    let answered = answered.and_then(|(bearer, user)| {
        let held = user.sessions.get(bearer.session_id);
        let held = held.ok_or(Error::UserNotFound)?;
        Ok(respond(200, &UserAnswer::new(&user, held)?))
    });
    answered.map_or_else(
        |problem| refuse_for("user", request, problem),
        |answer| {
            record::answered("user", "OK", None);
            answer
        },
    )
}

/// Ends sessions: the one that asks, the others, or all.
pub async fn logout(app: &Arc<App>, request: &Request, now: UnixMs) -> Response<Body> {
    let ended = async {
        let (bearer, _) = bearer_of(app, request, now).await?;
        let query = request.query_string_parameters_ref();
        let ended = match query.and_then(|query| query.first("scope")) {
            None | Some("global") => Ended::All,
            Some("local") => Ended::This,
            Some("others") => Ended::Others,
            Some(_) => return Err(Refusal::invalid("Unsupported logout scope").into()),
        };
        Ok(session::end_some(app, bearer.uid, bearer.session_id, ended).await?)
    };
    match guard(ended).await {
        Ok(()) => {
            record::answered("logout", "OK", None);
            let mut answer = Response::new(Body::Empty);
            *answer.status_mut() = StatusCode::NO_CONTENT;
            answer
        }
        Err(problem) => refuse_for("logout", request, problem),
    }
}

/// Who shows an access token in `Authorization`, and the account.
async fn bearer_of(app: &App, request: &Request, now: UnixMs) -> Result<(Bearer, User), Problem> {
    let header = request.headers().get("authorization");
    let header = header.and_then(|value| value.to_str().ok());
    let token = header.and_then(bearer).ok_or(Error::TokenMissing)?;
    Ok(access_token::check(app, token, now).await?)
}
