//! Users: sign-up, profiles, and the check of pictures.

use std::sync::Arc;

use actix_web::http::{Method, header};
use actix_web::{HttpRequest, HttpResponse, mime, web};
use mango_contract::user::{CreateUserRequest, UpdateUserRequest, UserReply, picture_reply};
use mango_domain::model::{Rate, UserId};
use mango_domain::usecases::UseCases;
use mango_domain::{Error, Failure};
use utoipa::ToSchema;

use crate::error::HttpError;
use crate::extract::{Caller, Id, Json, Picture, State};
use crate::limits::{self, Limit};
use crate::peer;
use crate::resource::resource;

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config
        .service(resource("/user/create", [(Method::POST, Limit::Address(Rate::SignUp), web::route().to(create_user))]))
        .service(resource(
            "/user/photo_to_base64",
            [(Method::POST, Limit::Address(Rate::Upload), web::route().to(photo_to_base64))],
        ))
        .service(resource("/user/me", [(Method::GET, Limit::User(Rate::Read), web::route().to(get_me))]))
        .service(resource(
            "/user/{id}",
            [
                (Method::GET, Limit::User(Rate::Read), web::route().to(get_user)),
                (Method::PATCH, Limit::User(Rate::Upload), web::route().to(update_user)),
            ],
        ));
}

/// Sign up
#[utoipa::path(
    post, path = "/user/create", tag = "users",
    request_body = CreateUserRequest,
    responses(
        (status = 201, description = "The new user", body = UserReply,
            headers(("Location" = String, description = "Where the user is"))),
        (status = 409, description = "The phone is registered already"),
        (status = 507, description = "There is no room to store the user or the photo"),
    )
)]
pub(crate) async fn create_user(
    request: HttpRequest,
    state: State,
    account: Json<CreateUserRequest>,
) -> Result<HttpResponse, HttpError> {
    let (account, address) = (account.0, peer::address(&request));
    let profile = state.change(|mango| async move { mango.register.run(account, address).await }).await?;
    let location = format!("/user/{}", profile.user.id);
    Ok(HttpResponse::Created().insert_header((header::LOCATION, location)).json(UserReply::from(&profile)))
}

/// Show your own profile
#[utoipa::path(
    get, path = "/user/me", tag = "users",
    security(("login" = []), ("bearer" = [])),
    responses((status = 200, description = "The caller in full", body = UserReply))
)]
pub(crate) async fn get_me(state: State, caller: Caller) -> Result<HttpResponse, HttpError> {
    let profile = state.use_cases.get_user.run(&caller.principal, caller.principal.user).await?;
    Ok(HttpResponse::Ok().json(UserReply::from(&profile)))
}

/// Look at a user
///
/// The phone is only shown to its owner.
#[utoipa::path(
    get, path = "/user/{id}", tag = "users",
    params(("id" = i64, Path, description = "The user's id")),
    security(("login" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "The user", body = UserReply),
        (status = 404, description = "There is no such user"),
    )
)]
pub(crate) async fn get_user(state: State, caller: Caller<Id<UserId>>) -> Result<HttpResponse, HttpError> {
    let profile = state.use_cases.get_user.run(&caller.principal, caller.rest.0).await?;
    Ok(HttpResponse::Ok().json(UserReply::from(&profile)))
}

/// Change your own profile
///
/// Only what is there is changed. A new password ends all other sessions. A new password or a new phone with `current_password` is set only
/// when that is right, and wrong ones are counted as failed logins are: after too many, the answer is 429, and so it is when the phone was
/// changed too often (by default, three times at once and three times a day). A new photo takes the place of the old one, whose files are removed.
#[utoipa::path(
    patch, path = "/user/{id}", tag = "users",
    params(("id" = i64, Path, description = "Your own id")),
    request_body = UpdateUserRequest,
    security(("login" = []), ("bearer" = [])),
    responses(
        (status = 202, description = "The user as they are now", body = UserReply),
        (status = 403, description = "The id is somebody else's"),
        (status = 404, description = "The id is not a number"),
        (status = 409, description = "The phone is registered already"),
        (status = 507, description = "There is no room to store the change or the photo"),
    )
)]
pub(crate) async fn update_user(
    request: HttpRequest,
    state: State,
    caller: Caller<(Id<UserId>, Json<UpdateUserRequest>)>,
) -> Result<HttpResponse, HttpError> {
    let Caller { principal, rest: (Id(id), Json(edit)) } = caller;
    let address = peer::address(&request);
    if edit.phone.is_some() {
        // It tells whether somebody has that phone, as signing up does, and takes it.
        limits::count_as_sign_up(&request)?;
    }
    let change = move |mango: Arc<UseCases>| async move { mango.update_user.run(&principal, id, edit, address).await };
    let profile = state.change(change).await?;
    Ok(HttpResponse::Accepted().json(UserReply::from(&profile)))
}

/// Turn a picture into base64
///
/// Gives the picture back as the text that sign-up and changes take as `photo`, when it is one that they would take.
#[utoipa::path(
    post, path = "/user/photo_to_base64", tag = "users",
    request_body(content = PictureForm, content_type = "multipart/form-data"),
    responses((
        status = 200, description = "The picture in base64", body = String, content_type = "application/json",
        example = json!("iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAAAAABX3VL4AAAADklEQVR4nGNomMCwYAMABrYCYTBGkIoAAAAASUVORK5CYII=")
    ))
)]
pub(crate) async fn photo_to_base64(
    request: HttpRequest,
    state: State,
    picture: Picture,
) -> Result<HttpResponse, HttpError> {
    let picture = state.use_cases.check_picture.run(picture.0, peer::address(&request)).await?;
    let reply = state.uploads.work(picture.len(), move || serde_json::to_vec(&picture_reply(&picture))).await?;
    let reply = reply.map_err(|error| Error::Failed(Failure::broken("write a picture", error)))?;
    Ok(HttpResponse::Ok().content_type(mime::APPLICATION_JSON).body(reply))
}

/// The form with a picture; it is read as a stream and only described here.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes the form")]
pub(crate) struct PictureForm {
    /// A JPEG, PNG, WebP or GIF.
    #[schema(value_type = String, format = Binary, example = "the bytes of the picture")]
    image: Vec<u8>,
}
