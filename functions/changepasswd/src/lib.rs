//! `POST /Systems/changepasswd`: redeems a reset token and changes a forgotten password (dialect B,
//! "systems").

use std::sync::Arc;

use lambda_http::{Body, Request, Response};
use shared::{
    App,
    dialect::{
        body::Fields,
        source,
        systems::{self, Info, Step},
    },
    domain::{error::Error, time::UnixMs},
    flow::recover,
};

/// Answers that the password has been changed.
pub async fn handle(app: Arc<App>, request: Request, now: UnixMs) -> Response<Body> {
    systems::answer(Step::Change, change(&app, &request, now)).await
}

async fn change(app: &Arc<App>, request: &Request, now: UnixMs) -> Result<Info, Error> {
    let fields = Fields::of(request)?;
    let change = systems::password_change(&fields)?;
    let (name, source) = (&change.name, source(request, app));
    recover::change(app, name, &change.token, &change.new, &source, now).await?;
    Ok(Info::changed())
}
