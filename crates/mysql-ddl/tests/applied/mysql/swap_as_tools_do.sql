CREATE TABLE t (id INT PRIMARY KEY, a INT);
create /* gh-ost */ table `_t_gho` like `t`;
alter /* gh-ost */ table `_t_gho` ADD COLUMN b INT, DROP COLUMN a;
create /* gh-ost */ table `_t_ghc` (id bigint unsigned auto_increment, last_update timestamp not null DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, hint varchar(64) charset ascii not null, value varchar(4096) charset ascii not null, primary key(id), unique key hint_uidx(hint)) auto_increment=256;
rename /* gh-ost */ table `t` to `_t_del`, `_t_gho` to `t`;
drop /* gh-ost */ table if exists `_t_del`;
ALTER TABLE `t` ADD INDEX (b), ALGORITHM=INPLACE, LOCK=NONE;
