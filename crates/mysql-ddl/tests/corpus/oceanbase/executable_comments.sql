CREATE TABLE t (a INT /*!80023 INVISIBLE */ /*!50606 COMMENT 'x' */) /*!99999 COMMENT='always code' */;
