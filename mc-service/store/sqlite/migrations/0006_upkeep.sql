-- What is deleted, and what stays of it.

-- Until when rules of retention were applied; NULL: never.
ALTER TABLE store_info ADD COLUMN retained_until_us INTEGER;
-- Rows were erased, and their places in the file not overwritten yet.
ALTER TABLE store_info ADD COLUMN scrub_pending INTEGER NOT NULL DEFAULT 0
  CHECK (scrub_pending IN (0, 1));

-- Clusters that were erased with their account. Of their IDs, which are random,
-- nothing can be told from it but whether one is among them.
CREATE TABLE erased_cluster (
  cluster_id_sha256 BLOB PRIMARY KEY NOT NULL
) STRICT, WITHOUT ROWID;
