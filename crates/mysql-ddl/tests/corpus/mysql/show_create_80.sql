CREATE TABLE `orders` (
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `payload` json DEFAULT NULL,
  `hidden` int DEFAULT NULL /*!80023 INVISIBLE */,
  `total` decimal(20,6) GENERATED ALWAYS AS (json_unquote(json_extract(`payload`,_utf8mb4'$.total'))) STORED,
  `loc` point NOT NULL /*!80003 SRID 4326 */,
  PRIMARY KEY (`id`),
  UNIQUE KEY `u` (`total`) /*!80000 INVISIBLE */,
  SPATIAL KEY `loc` (`loc`),
  KEY `f` ((upper(cast(`id` as char(10) charset utf8mb4)))),
  CONSTRAINT `orders_chk_1` CHECK ((`id` > 0)) /*!80016 NOT ENFORCED */
) /*!50100 TABLESPACE `innodb_system` */ ENGINE=InnoDB AUTO_INCREMENT=17 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci ROW_FORMAT=DYNAMIC STATS_PERSISTENT=1 /*!80016 ENCRYPTION='N' */ COMMENT='orders'
/*!50100 PARTITION BY RANGE (`id`)
SUBPARTITION BY HASH (`id`)
SUBPARTITIONS 2
(PARTITION p0 VALUES LESS THAN (100) ENGINE = InnoDB,
 PARTITION p1 VALUES LESS THAN MAXVALUE ENGINE = InnoDB) */
