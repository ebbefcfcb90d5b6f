//! What any service may answer, and what keeps it from answering.

use super::common;
use crate::aws_faults::Class::{Again, Mend, Unclear};
use crate::aws_faults::{Fault, NO_ANSWER, NO_CONNECTION, NO_CREDENTIALS, NOT_AWS, TOO_SLOW};

/// Of all services.
pub(super) const FAULTS: &[Fault] = &[
    common(
        400,
        &[
            "ThrottlingException",
            "Throttling",
            "ThrottledException",
            "RequestThrottled",
            "RequestThrottledException",
            "TooManyRequestsException",
            "RequestLimitExceeded",
        ],
        Again,
        "throttled",
        "nothing, if it is seldom; else ask AWS for a higher quota",
    ),
    common(
        400,
        &[
            "AccessDeniedException",
            "AccessDenied",
            "NotAuthorized",
            "AuthorizationError",
        ],
        Mend,
        "access denied",
        "allow this role the call: infra/template.yaml has the policy, and AWS's message names the action",
    ),
    common(
        403,
        &["ExpiredTokenException", "ExpiredToken"],
        Again,
        "credentials expired",
        "nothing for a role, whose credentials are renewed; else sign in again, or replace them",
    ),
    common(
        403,
        &[
            "UnrecognizedClientException",
            "InvalidClientTokenId",
            "InvalidAccessKeyId",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "IncompleteSignature",
            "IncompleteSignatureException",
        ],
        Again,
        "credentials not known",
        "give it credentials of this account: a role, AWS_PROFILE, or AWS_ACCESS_KEY_ID with its secret",
    ),
    common(
        403,
        &[
            "InvalidSignatureException",
            "SignatureDoesNotMatch",
            "RequestTimeTooSkewed",
            "RequestExpired",
        ],
        Again,
        "signature not accepted",
        "set this machine's clock (with NTP), which may be off by no more than five minutes; if it is right, the \
         secret access key isn't",
    ),
    common(
        403,
        &["OptInRequired"],
        Again,
        "account not signed up",
        "activate the service, or the region, in this account",
    ),
    common(
        500,
        &[
            "InternalFailure",
            "InternalError",
            "InternalServerError",
            "InternalServiceError",
            "InternalServiceErrorException",
            "ServiceException",
        ],
        Unclear,
        "fault inside AWS",
        "nothing: it passes; AWS's health dashboard knows about longer ones",
    ),
    common(
        503,
        &[
            "ServiceUnavailable",
            "ServiceUnavailableException",
            "ServiceUnavailableError",
        ],
        Unclear,
        "service unavailable",
        "nothing: it passes; AWS's health dashboard knows about longer ones",
    ),
    common(
        0,
        &[TOO_SLOW],
        Unclear,
        "slow answer",
        "nothing, if it is seldom; else look at the network between here and AWS",
    ),
    common(
        0,
        &[NO_CONNECTION],
        Unclear,
        "no connection",
        "let this machine reach the service's endpoint: DNS, firewall, proxy, VPC endpoint, AWS_ENDPOINT_URL",
    ),
    common(
        0,
        &[NO_CREDENTIALS],
        Again,
        "no credentials",
        "give it credentials: a role, AWS_PROFILE, or AWS_ACCESS_KEY_ID with its secret",
    ),
    common(
        0,
        &[NOT_AWS],
        Unclear,
        "not AWS",
        "look at AWS_ENDPOINT_URL, and at proxies between here and AWS",
    ),
    common(
        0,
        &[NO_ANSWER],
        Unclear,
        "no answer",
        "look at the network between here and AWS, and at AWS_ENDPOINT_URL",
    ),
];
