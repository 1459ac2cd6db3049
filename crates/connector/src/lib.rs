//! The seam traits between components and databases, with their contracts.
