//! Persistent change log in one unified format.
