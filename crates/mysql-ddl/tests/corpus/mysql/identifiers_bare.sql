CREATE TABLE 1st_table (a$b INT, _x INT, größe INT, 2x INT, имя VARCHAR(10), engine INT, comment INT, type INT, status INT, user INT, `key` INT);
