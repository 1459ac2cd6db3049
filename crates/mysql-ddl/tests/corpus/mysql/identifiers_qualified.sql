CREATE TABLE db . t (a INT);
ALTER TABLE `d-b`.`t.x` ADD c INT;
DROP TABLE db.table, .t2, db.2020;
