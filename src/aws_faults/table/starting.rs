//! What the services answer that the configuration refers to: they are asked at the start alone.

use super::of;
use crate::aws_faults::Class::{Mend, Unclear};
use crate::aws_faults::Fault;
use crate::aws_faults::Service::{Kms, SecretsManager, Ssm};

/// Service by service.
pub(super) const FAULTS: &[Fault] = &[
    of(
        SecretsManager,
        400,
        &["ResourceNotFoundException"],
        Mend,
        "no such secret, or none with a value",
        "look at the secret's name, at the region and at the account",
    ),
    of(
        SecretsManager,
        400,
        &["DecryptionFailure"],
        Mend,
        "KMS key disabled or denied",
        "enable the secret's KMS key, and let this role decrypt with it",
    ),
    of(
        SecretsManager,
        400,
        &["InvalidRequestException"],
        Mend,
        "secret marked for deletion",
        "restore the secret (aws secretsmanager restore-secret), or name another one",
    ),
    of(
        SecretsManager,
        400,
        &["InvalidParameterException", "ValidationException"],
        Mend,
        "not a secret's name",
        "write secretsmanager: and the secret's name or ARN, and #key for one key of a JSON secret",
    ),
    of(
        Ssm,
        400,
        &["ParameterNotFound", "ParameterVersionNotFound"],
        Mend,
        "no such parameter",
        "look at the parameter's name, at the region and at the account",
    ),
    of(
        Ssm,
        400,
        &["InvalidKeyId"],
        Mend,
        "KMS key disabled or gone",
        "enable the parameter's KMS key, and let this role decrypt with it",
    ),
    of(
        Ssm,
        400,
        &["ValidationException"],
        Mend,
        "not a parameter's name",
        "write ssm: and the parameter's name, such as ssm:/countersign/master-key",
    ),
    of(
        Kms,
        400,
        &["DisabledException", "KMSInvalidStateException"],
        Mend,
        "KMS key disabled",
        "enable the KMS key again",
    ),
    of(
        Kms,
        400,
        &["NotFoundException"],
        Mend,
        "no such KMS key",
        "look at the region and at the account of the key that encrypted it",
    ),
    of(
        Kms,
        400,
        &[
            "InvalidCiphertextException",
            "IncorrectKeyException",
            "InvalidKeyUsageException",
            "ValidationException",
        ],
        Mend,
        "not a ciphertext of KMS",
        "encrypt the key again: aws kms encrypt --key-id … --plaintext fileb://master.key --query CiphertextBlob",
    ),
    of(
        Kms,
        500,
        &[
            "KeyUnavailableException",
            "DependencyTimeoutException",
            "KMSInternalException",
        ],
        Unclear,
        "fault inside KMS",
        "nothing: it passes; start it again",
    ),
];
