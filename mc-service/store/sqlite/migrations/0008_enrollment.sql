-- Who may enroll a cluster, and who may operate the service.

CREATE TABLE enrollment_token (
  id INTEGER PRIMARY KEY,
  token_id TEXT NOT NULL UNIQUE CHECK (token_id <> ''),
  license_row INTEGER NOT NULL REFERENCES license,
  -- SHA-256.
  digest BLOB NOT NULL UNIQUE,
  created_at_us INTEGER NOT NULL,
  expires_at_us INTEGER NOT NULL,
  -- NULL: not used yet.
  used_at_us INTEGER,
  -- The cluster that was registered with it.
  cluster_id TEXT NOT NULL,
  deleted INTEGER NOT NULL CHECK (deleted IN (0, 1))
) STRICT;
CREATE INDEX enrollment_token_by_license ON enrollment_token (license_row);
CREATE INDEX enrollment_token_by_end ON enrollment_token (expires_at_us);

-- Those that wait to be registered, for they are few.
CREATE INDEX cluster_pending ON cluster (license_row) WHERE registration = 2;

-- NULL: before it was noted; without a certificate of this service.
ALTER TABLE operator ADD COLUMN created_at_us INTEGER;
ALTER TABLE operator ADD COLUMN certificate_not_after_us INTEGER;
-- The name stays, so that the certificates of one who is gone do not become
-- another's.
ALTER TABLE operator ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0
  CHECK (deleted IN (0, 1));
