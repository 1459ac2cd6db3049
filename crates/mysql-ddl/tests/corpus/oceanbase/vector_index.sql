CREATE TABLE t (id INT, v VECTOR(3), VECTOR INDEX vi (v) WITH (distance=l2, type=hnsw, lib=vsag));
CREATE VECTOR INDEX vi ON t (v) WITH (distance=cosine, type=ivf_flat);
