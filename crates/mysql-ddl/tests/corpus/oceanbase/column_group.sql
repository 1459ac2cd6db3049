CREATE TABLE t (a INT, b INT) WITH COLUMN GROUP (each column);
CREATE TABLE t (a INT) PARTITION BY HASH (a) PARTITIONS 4 WITH COLUMN GROUP (all columns, each column);
ALTER TABLE t ADD COLUMN GROUP (all columns, each column);
ALTER TABLE t DROP COLUMN GROUP (each column);
