CREATE TABLE t (a INT COMMENT 'it''s a \\ \n \t\0 "test" ', b INT COMMENT "dou""ble 'single'", c INT COMMENT '', d INT COMMENT 'percent \% under \_', e INT COMMENT '日本語 😀');
