-- Times are microseconds since 1970-01-01T00:00:00Z. Each sha256 covers the
-- row's bytes and the columns that say what they mean.

-- Recorded usage that no closed time frame holds yet. from_us moves forward
-- when the first frames of a long host interval are closed.
CREATE TABLE usage_record (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  from_us INTEGER NOT NULL,
  until_us INTEGER NOT NULL,
  payload BLOB NOT NULL,
  sha256 BLOB NOT NULL
) STRICT;
CREATE INDEX usage_record_by_time ON usage_record (from_us);

-- Usage records whose bytes are not what was written.
CREATE TABLE damaged_usage (
  id INTEGER PRIMARY KEY,
  from_us INTEGER NOT NULL,
  until_us INTEGER NOT NULL,
  payload BLOB NOT NULL,
  sha256 BLOB NOT NULL,
  found_us INTEGER NOT NULL
) STRICT;

CREATE TABLE usage_key (
  idempotency_key TEXT PRIMARY KEY,
  recorded_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_key_by_time ON usage_key (recorded_us);

-- Time frames in which the agent ran (closed = 0), or that it has closed.
CREATE TABLE frame (
  start_us INTEGER NOT NULL,
  end_us INTEGER NOT NULL,
  closed INTEGER NOT NULL,
  PRIMARY KEY (start_us, end_us)
) STRICT, WITHOUT ROWID;
CREATE INDEX frame_by_end ON frame (closed, end_us);

CREATE TABLE environment (
  environment_id TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- The epoch in which new reports of a lane are numbered.
CREATE TABLE lane (
  lane INTEGER PRIMARY KEY,
  epoch INTEGER NOT NULL,
  next_sequence INTEGER NOT NULL
) STRICT;

-- Reports without a receipt. state: 1 waiting, 2 rejected, 3 damaged. request
-- is the serialized StreamReportsRequest, sent as it is.
CREATE TABLE report (
  lane INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  state INTEGER NOT NULL,
  created_us INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  moves INTEGER NOT NULL DEFAULT 0,
  not_before_us INTEGER NOT NULL DEFAULT 0,
  rejection TEXT NOT NULL DEFAULT '',
  request BLOB NOT NULL,
  sha256 BLOB NOT NULL,
  PRIMARY KEY (lane, epoch, sequence)
) STRICT;
CREATE INDEX report_by_state ON report (state, lane, epoch, sequence);

-- Signed receipts of the lane BILLING, for checking invoices.
CREATE TABLE receipt (
  epoch INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  accepted_us INTEGER NOT NULL,
  document BLOB NOT NULL,
  sha256 BLOB NOT NULL,
  PRIMARY KEY (epoch, sequence)
) STRICT;
CREATE INDEX receipt_by_time ON receipt (accepted_us);

-- Traffic that no acknowledged health check has carried. Epoch 0, sequence 0:
-- in no health check yet; the others are of the first one that carried them.
CREATE TABLE traffic (
  epoch INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  start_us INTEGER NOT NULL,
  PRIMARY KEY (epoch, sequence)
) STRICT;
