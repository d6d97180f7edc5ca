-- What was certified for clusters, and which of two agents is the cluster.

-- IssuedIdentity. The row of the cluster has the one that was used last.
CREATE TABLE issued_identity (
  id INTEGER PRIMARY KEY,
  cluster_row INTEGER NOT NULL REFERENCES cluster ON DELETE CASCADE,
  tls_key_digest BLOB NOT NULL,
  password_digest BLOB NOT NULL,
  predecessor_key_digest BLOB NOT NULL,
  certificate_serial TEXT NOT NULL,
  certificate_not_after_us INTEGER NOT NULL,
  issued_at_us INTEGER NOT NULL,
  registered_at_us INTEGER NOT NULL,
  agent_instance_id TEXT NOT NULL,
  -- 1 issued, 2 active, 3 replaced, 4 lost.
  state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 4)
) STRICT;
CREATE INDEX issued_identity_by_cluster ON issued_identity (cluster_row);

-- The agents that had one identity when a clone was suspected.
CREATE TABLE clone_instance (
  id INTEGER PRIMARY KEY,
  cluster_row INTEGER NOT NULL REFERENCES cluster ON DELETE CASCADE,
  agent_instance_id TEXT NOT NULL,
  UNIQUE (cluster_row, agent_instance_id)
) STRICT;

-- The agent that an operator chose, until it has renewed; empty, NULL: none.
ALTER TABLE cluster ADD COLUMN adopted_instance_id TEXT NOT NULL DEFAULT '';
ALTER TABLE cluster ADD COLUMN adopted_at_us INTEGER;
