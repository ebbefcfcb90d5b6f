//! Stand-ins for AWS services.
