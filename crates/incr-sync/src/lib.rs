//! Applies changes from a Store in order, in parallel where no key conflicts.
