CREATE TABLE db . t (a INT);
ALTER TABLE `d-b`.`t.x` ADD c INT;
DROP TABLE db.table, db.2020;
