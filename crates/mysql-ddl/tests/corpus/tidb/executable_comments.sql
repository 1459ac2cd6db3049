CREATE TABLE t (a INT /*!90000 NOT NULL */ /*T![unknown_feature] NOT CODE */ /*T![ttl,placement] COMMENT 'c' */ /*M! not code */) /*!99999 COMMENT='kept'*/;
