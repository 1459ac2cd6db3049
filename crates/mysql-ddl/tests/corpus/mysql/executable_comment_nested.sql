CREATE TABLE t (a INT /*!50000 DEFAULT /* inner */ 5 */, b INT /*!999999 x /* inner */ y */ NULL);
