RENAME TABLE a TO b;
RENAME TABLE a TO tmp, b TO a, tmp TO b;
RENAME TABLES d1.a TO d2.a, d1.b TO d2.b;
