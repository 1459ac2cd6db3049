/*!50503 SET NAMES utf8mb4 */;
CREATE TABLE `film` (
  `film_id` smallint unsigned NOT NULL AUTO_INCREMENT,
  `title` varchar(128) /*!50606 STORAGE DISK */ /*!50606 COLUMN_FORMAT DEFAULT */ NOT NULL,
  `rating` enum('G','PG','PG-13') /*!40100 CHARACTER SET latin1 */ DEFAULT 'G',
  `location` varchar(9),
  `upd` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  PRIMARY KEY (`film_id`),
  KEY `idx_title` (`title`),
  KEY `gone` (`rating`) /*!80000 INVISIBLE */
) /*!50100 TABLESPACE `innodb_file_per_table` */ ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci
/*!50100 PARTITION BY KEY (film_id) PARTITIONS 2 */;
