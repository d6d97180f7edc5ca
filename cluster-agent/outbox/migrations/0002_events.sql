-- The cluster's events, until they are acknowledged and as long as they are
-- among the newest. state: 1 waiting, 2 in the report with this epoch and
-- sequence, 3 acknowledged, 4 stays in the site, 5 refused for good,
-- 6 damaged. Only 1 and 2 are still to be sent.
CREATE TABLE event (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  event_id TEXT NOT NULL UNIQUE,
  state INTEGER NOT NULL,
  epoch INTEGER NOT NULL DEFAULT 0,
  sequence INTEGER NOT NULL DEFAULT 0,
  type INTEGER NOT NULL,
  payload BLOB NOT NULL,
  sha256 BLOB NOT NULL
) STRICT;
CREATE INDEX event_to_send ON event (id) WHERE state <= 2;
CREATE INDEX event_by_type ON event (type, id);
CREATE INDEX event_by_report ON event (epoch, sequence) WHERE sequence > 0;

-- Reports of the lane EVENTS that were dropped, and that no envelope has
-- declared yet.
CREATE TABLE dropped_range (
  epoch INTEGER NOT NULL,
  first_sequence INTEGER NOT NULL,
  last_sequence INTEGER NOT NULL,
  PRIMARY KEY (epoch, first_sequence)
) STRICT, WITHOUT ROWID;
