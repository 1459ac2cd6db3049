CREATE TABLE rank (rank INT, system INT, `groups` INT, row_number INT, window INT, recursive INT, cube INT);
