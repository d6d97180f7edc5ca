-- ClusterEvent.
CREATE TABLE cluster_event (
  id INTEGER PRIMARY KEY,
  cluster_row INTEGER NOT NULL REFERENCES cluster,
  received_at_us INTEGER NOT NULL,
  event_id TEXT NOT NULL CHECK (event_id <> ''),
  type INTEGER NOT NULL,
  severity INTEGER NOT NULL,
  occurred_at_ns INTEGER,
  node_id TEXT NOT NULL,
  has_connection INTEGER NOT NULL,
  connection_outage_ns INTEGER,
  has_license INTEGER NOT NULL,
  license_status INTEGER,
  license_ends_at_ns INTEGER,
  has_update INTEGER NOT NULL,
  update_from_version TEXT,
  update_to_version TEXT,
  update_failure TEXT,
  has_active_gate INTEGER NOT NULL,
  active_gate_active_gate_id TEXT,
  has_clock INTEGER NOT NULL,
  clock_offset_milliseconds INTEGER,
  has_certificate INTEGER NOT NULL,
  certificate_not_after_ns INTEGER,
  has_remote_access INTEGER NOT NULL,
  remote_access_session_id TEXT,
  has_settings INTEGER NOT NULL,
  settings_revision INTEGER,
  has_outbox INTEGER NOT NULL,
  outbox_problem TEXT,
  outbox_affected_rows INTEGER,
  UNIQUE (cluster_row, event_id)
) STRICT;
CREATE INDEX cluster_event_by_cluster ON cluster_event (cluster_row, id);
CREATE INDEX cluster_event_by_type ON cluster_event (type, id);

-- DroppedRange, as its cluster declared it.
CREATE TABLE dropped_events (
  id INTEGER PRIMARY KEY,
  cluster_row INTEGER NOT NULL REFERENCES cluster,
  epoch INTEGER NOT NULL,
  first_sequence INTEGER NOT NULL,
  last_sequence INTEGER NOT NULL,
  declared_at_us INTEGER NOT NULL,
  UNIQUE (cluster_row, epoch, first_sequence)
) STRICT;
