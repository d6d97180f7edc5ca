-- What an operator should know of the clusters' reports.

-- At most one finding of a subject is open; one that comes back after it was
-- closed is another finding.
CREATE TABLE finding (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  cluster_row INTEGER NOT NULL REFERENCES cluster ON DELETE CASCADE,
  -- FindingKind, Severity.
  kind INTEGER NOT NULL,
  subject TEXT NOT NULL,
  severity INTEGER NOT NULL,
  message TEXT NOT NULL,
  first_at_us INTEGER NOT NULL,
  last_at_us INTEGER NOT NULL,
  count INTEGER NOT NULL CHECK (count >= 1),
  -- NULL: it still holds.
  closed_at_us INTEGER,
  has_time_frame INTEGER NOT NULL CHECK (has_time_frame IN (0, 1)),
  -- NULL: not known.
  time_frame_start_us INTEGER,
  time_frame_end_us INTEGER
) STRICT;
CREATE UNIQUE INDEX finding_open ON finding (cluster_row, kind, subject)
  WHERE closed_at_us IS NULL;
CREATE INDEX finding_by_cluster ON finding (cluster_row);
CREATE INDEX finding_by_end ON finding (closed_at_us);

-- Sequences of LANE_BILLING that are missing below the highest accepted one of
-- their epoch.
CREATE TABLE sequence_gap (
  id INTEGER PRIMARY KEY,
  cluster_row INTEGER NOT NULL REFERENCES cluster ON DELETE CASCADE,
  epoch INTEGER NOT NULL,
  first_sequence INTEGER NOT NULL CHECK (first_sequence >= 1),
  last_sequence INTEGER NOT NULL CHECK (last_sequence >= first_sequence),
  -- first_sequence of the gap as it was first seen.
  origin_sequence INTEGER NOT NULL,
  opened_at_us INTEGER NOT NULL,
  -- Of the usage in doubt; NULL: not known.
  time_frame_start_us INTEGER,
  time_frame_end_us INTEGER,
  -- Whether there is a finding of it.
  raised INTEGER NOT NULL CHECK (raised IN (0, 1)),
  UNIQUE (cluster_row, epoch, first_sequence)
) STRICT;
CREATE INDEX sequence_gap_unraised ON sequence_gap (opened_at_us)
  WHERE raised = 0;

-- The gaps of what was accepted before there was this table.
INSERT INTO sequence_gap (cluster_row, epoch, first_sequence, last_sequence,
    origin_sequence, opened_at_us, time_frame_start_us, time_frame_end_us,
    raised)
  SELECT gap.cluster_row, gap.epoch, before + 1, gap.sequence - 1, before + 1,
      gap.accepted_at_us, lower.time_frame_end_ns / 1000,
      upper.time_frame_start_ns / 1000, 0
    FROM (SELECT cluster_row, epoch, sequence, accepted_at_us,
              lag(sequence, 1, 0) OVER (PARTITION BY cluster_row, epoch
                ORDER BY sequence) AS before
            FROM report WHERE lane = 1) AS gap
      LEFT JOIN consumption_report AS lower
        ON lower.cluster_row = gap.cluster_row AND lower.epoch = gap.epoch
          AND lower.sequence = before
      LEFT JOIN consumption_report AS upper
        ON upper.cluster_row = gap.cluster_row AND upper.epoch = gap.epoch
          AND upper.sequence = gap.sequence
    WHERE gap.sequence > before + 1;
