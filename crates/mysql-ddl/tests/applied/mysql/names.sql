CREATE TABLE `select` (`from` INT, `a``b` INT, `日本語` VARCHAR(5) COMMENT '表', `with space` INT, `1digit` INT, `key` INT, PRIMARY KEY (`from`), KEY `order` (`a``b`, `key`));
CREATE TABLE 2tables (id INT, status INT, value INT, type INT, date DATE, `rank` INT);
ALTER TABLE `select` RENAME COLUMN `日本語` TO `ünïcödé`, RENAME INDEX `order` TO `group`;
RENAME TABLE `select` TO `a.b`, 2tables TO `select`;
CREATE TABLE `like` LIKE `a.b`;
DROP TABLE IF EXISTS `no such`, `like`;
