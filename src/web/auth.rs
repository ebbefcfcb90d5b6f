//! Who uses the API: a program with a key, and whether the key is for that. Used by every handler of `api` before it
//! reads anything else of a request.

use super::Web;
use super::api::ApiError;
use crate::domain::api_key::Scope;
use axum::http::{HeaderMap, header};

/// The id of the key that a request carries as `Authorization: Bearer <key>` (RFC 6750), if it has that scope.
pub fn caller<'a>(web: &'a Web, headers: &HeaderMap, scope: Scope) -> Result<&'a str, ApiError> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let (first, second) = (given.next(), given.next());
    let credentials = first.ok_or(ApiError::NoKey)?.to_str().unwrap_or_default();
    let key = match credentials.split_once(' ') {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") && second.is_none() => key.trim(),
        _ => return Err(ApiError::WrongKey),
    };
    let known = web.flow.settings.api_keys.find(key).ok_or(ApiError::WrongKey)?;
    if known.scopes.contains(&scope) {
        Ok(&known.id)
    } else {
        Err(ApiError::MissingScope(scope))
    }
}
