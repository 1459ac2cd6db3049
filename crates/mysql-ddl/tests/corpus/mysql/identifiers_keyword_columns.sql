CREATE TABLE t (date DATE, time TIME, timestamp TIMESTAMP NULL, year YEAR, enum ENUM('a'), text TEXT, json JSON, point POINT, bit BIT, first INT, after INT, action INT, partition_ INT, value INT, names INT, data INT, date_time DATETIME);
ALTER TABLE t ADD data INT AFTER value, CHANGE date day DATE, DROP time, MODIFY text LONGTEXT;
