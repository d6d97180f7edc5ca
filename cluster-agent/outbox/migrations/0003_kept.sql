-- Ages are microseconds for which the agent has run with this file, by the
-- machine's time since boot. Whatever is deleted after a time is measured by
-- them, so that nobody who sets a clock hurries it.

CREATE TABLE outbox_info (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  age_us INTEGER NOT NULL,
  -- As the last Welcome told it; NULL before the first one.
  service_epoch INTEGER
) STRICT;
INSERT INTO outbox_info (id, age_us) VALUES (1, 0);

-- state 4: acknowledged, kept in case the service is restored from a backup.
-- not_before_us is for people alone from here on.
ALTER TABLE report ADD COLUMN not_before_age_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE report ADD COLUMN acknowledged_age_us INTEGER NOT NULL DEFAULT 0;
CREATE INDEX report_acknowledged ON report (acknowledged_age_us)
  WHERE state = 4;

-- What is there already is as if it had come now.
UPDATE usage_key SET recorded_us = 0;
ALTER TABLE usage_key RENAME COLUMN recorded_us TO recorded_age_us;
ALTER TABLE frame ADD COLUMN closed_age_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE receipt ADD COLUMN kept_age_us INTEGER NOT NULL DEFAULT 0;
DROP INDEX receipt_by_time;
CREATE INDEX receipt_by_age ON receipt (kept_age_us);
