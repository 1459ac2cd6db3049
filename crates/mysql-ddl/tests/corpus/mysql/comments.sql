# hash comment
CREATE TABLE t ( -- dash comment
  a INT, /* block
  comment ; ' " ` */
  b INT /**/, # another
  c INT -- last
) -- after
;
--	tab comment
ALTER TABLE t ADD d INT--
;
