//! Where PANs are, sealed, found again by a keyed fingerprint.
