CREATE TABLE `t` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `j` json DEFAULT NULL,
  `v` varchar(20) GENERATED ALWAYS AS (json_unquote(json_extract(`j`,'$.a'))) VIRTUAL,
  `b` text DEFAULT NULL,
  `pid` int(11) DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `v` (`v`) BLOCK_SIZE 16384 LOCAL,
  UNIQUE KEY `u` (`pid`) BLOCK_SIZE 16384 GLOBAL,
  FULLTEXT KEY `ft` (`b`) WITH PARSER space PARSER_PROPERTIES=(min_token_size=3,max_token_size=84) BLOCK_SIZE 16384,
  CONSTRAINT `fk1` FOREIGN KEY (`pid`) REFERENCES `compat`.`p`(`id`) ON UPDATE SET NULL ON DELETE CASCADE
) ORGANIZATION INDEX AUTO_INCREMENT = 1000 DEFAULT CHARSET = utf8mb4 ROW_FORMAT = DYNAMIC COMPRESSION = 'zstd_1.3.8' BLOCK_SIZE = 16384 TABLET_SIZE = 134217728 PCTFREE = 0 COMMENT = 'x'
 partition by range(a) subpartition by hash(b) subpartition template (
subpartition `p0`,
subpartition `p1`)
(partition `p0` values less than (10),
partition `p1` values less than (MAXVALUE))
