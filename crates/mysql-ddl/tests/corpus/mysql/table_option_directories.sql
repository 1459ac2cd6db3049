CREATE TABLE t (a INT PRIMARY KEY) DATA DIRECTORY='/data/a' INDEX DIRECTORY = '/data/b' TABLESPACE = innodb_file_per_table CONNECTION='mysql://u@h/db/t';
