//! What a workflow waits on: a Step Functions task token, or a durable function's callback id. Both are bearer
//! secrets: whoever holds one can end the wait. The types print nothing and can't be serialized; only
//! [`super::keys`] turns one into something that may be stored.

use zeroize::Zeroizing;

/// A task token in the plain. 1 to 2,048 characters (Step Functions API, `TaskToken`).
#[derive(Clone, PartialEq, Eq)]
pub struct TaskToken(Zeroizing<String>);

impl TaskToken {
    /// The longest token that Step Functions' API model allows, in characters.
    pub const MAX_CHARS: usize = 2048;

    /// Takes a token, or says what is wrong with it without repeating it.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.chars().count() {
            0 => Err("must not be empty".into()),
            n if n > Self::MAX_CHARS => Err(format!(
                "has {n} characters; a task token has at most {}",
                Self::MAX_CHARS
            )),
            _ if text.chars().any(char::is_control) => Err("must not contain control characters".into()),
            _ => Ok(Self(Zeroizing::new(text.to_owned()))),
        }
    }

    /// The secret itself, for the calls about it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// A durable function's callback id in the plain. 1 to 1,024 characters of `[A-Za-z0-9+/]` with up to two `=` at the
/// end (Lambda API 2025-12-01, `CallbackId`).
#[derive(Clone, PartialEq, Eq)]
pub struct CallbackId(Zeroizing<String>);

impl CallbackId {
    /// Takes a callback id, or says what is wrong with it without repeating it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let body = text
            .strip_suffix("==")
            .or_else(|| text.strip_suffix('='))
            .unwrap_or(text);
        if body.is_empty() || text.len() > 1024 {
            return Err(format!(
                "has {} characters; a callback id has 1 to 1,024",
                text.chars().count()
            ));
        }
        if !body
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
        {
            return Err("may hold only letters, digits, + and /, with up to two = at its end".into());
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// The secret itself, for the calls about it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// What an approval answers.
#[derive(Clone, PartialEq, Eq)]
pub enum CallbackTarget {
    /// A state machine's task that waits for `SendTaskSuccess` or `SendTaskFailure`.
    TaskToken(TaskToken),
    /// A durable function that waits for a callback.
    DurableCallback(CallbackId),
}

impl CallbackTarget {
    /// The kind's name, as it enters the id and the associated data of the encryption.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::TaskToken(_) => "task-token",
            Self::DurableCallback(_) => "durable-callback",
        }
    }

    /// The secret itself, for encryption.
    pub fn expose(&self) -> &str {
        match self {
            Self::TaskToken(token) => token.expose(),
            Self::DurableCallback(id) => id.expose(),
        }
    }

    /// Puts a target together again from what [`Self::kind`] and [`Self::expose`] gave.
    pub fn from_parts(kind: &str, secret: &str) -> Option<Self> {
        match kind {
            "task-token" => TaskToken::parse(secret).ok().map(Self::TaskToken),
            "durable-callback" => CallbackId::parse(secret).ok().map(Self::DurableCallback),
            _ => None,
        }
    }
}

macro_rules! redacted {
    ($($name:ident),*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }
    )*};
}
redacted!(TaskToken, CallbackId, CallbackTarget);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_1_to_2048_characters_and_is_never_printed() {
        assert!(TaskToken::parse("").is_err());
        assert!(TaskToken::parse(&"é".repeat(2048)).is_ok());
        let problem = TaskToken::parse(&"x".repeat(2049)).expect_err("too long");
        assert!(problem.contains("2049") && !problem.contains("xxx"), "{problem}");
        let token = TaskToken::parse("canary").expect("a token");
        assert!(!format!("{token:?} {:?}", CallbackTarget::TaskToken(token.clone())).contains("canary"));
    }

    #[test]
    fn a_callback_id_is_base64() {
        assert!(CallbackId::parse("ab+/==").is_ok());
        for bad in ["", "==", "a b", "a===", "ä"] {
            assert!(CallbackId::parse(bad).is_err(), "{bad}");
        }
    }
}
