CREATE TABLE t (a INT /*!80023 INVISIBLE */ /*!50606 COMMENT 'x' */ /*!100301 not code */ /*!1 nor this */) /*!99999 COMMENT='code' */;
