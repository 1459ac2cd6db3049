//! Moves the rows that are already there, in parallel chunks, resumable.
