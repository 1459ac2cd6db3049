//! Values, schemas, row batches, change records and positions; no I/O, no async.
