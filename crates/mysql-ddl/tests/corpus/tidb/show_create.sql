CREATE TABLE `t` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `a` varchar(255) COLLATE utf8mb4_general_ci DEFAULT NULL,
  `g` int(11) GENERATED ALWAYS AS (`id` + 1) VIRTUAL,
  PRIMARY KEY (`id`) /*T![clustered_index] CLUSTERED */,
  KEY `expression_index` ((lower(`a`))),
  KEY `i` (`a`) /*!80000 INVISIBLE */
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin AUTO_INCREMENT=30001 /*T![auto_id_cache] AUTO_ID_CACHE=1 */ /*T![placement] PLACEMENT POLICY=`p` */
PARTITION BY RANGE (`id`)
(PARTITION `p0` VALUES LESS THAN (100),
 PARTITION `p1` VALUES LESS THAN (MAXVALUE))
