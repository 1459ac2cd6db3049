CREATE TABLE t (a INT /*!50701 not code for MariaDB */ /*!80023 INVISIBLE */ /*M!100201 DEFAULT 5 */ /*M!999999 x */ /*T![auto_rand] AUTO_RANDOM */) /*!100100 ENGINE=Aria */ /*!50000 COMMENT='c' */;
/*M!999999\- enable the sandbox mode */
CREATE TABLE u (a INT);
