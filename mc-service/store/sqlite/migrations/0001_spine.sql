-- The rows of the store.
--
-- `id` is the position of a row in its listings and never changes; `*_row`
-- and `parent` refer to it. Times are UTC since 1970: `*_us` in microseconds;
-- `*_ns`, which are times and durations inside reports, in nanoseconds, as they
-- were sent. Epochs are the bit patterns of unsigned numbers.
--
-- Tables that hold a message of the contract have its fields' names as column
-- names. A field of a submessage is prefixed with the submessage's name, whose
-- presence is in `has_*`; repeated fields are tables of their own, in the order
-- of `position`. NULL: the field is absent.

CREATE TABLE store_info (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  service_epoch INTEGER NOT NULL
) STRICT;
INSERT INTO store_info VALUES (1, (random() & 0x7fffffffffffffff) | 1);

CREATE TABLE account (
  id INTEGER PRIMARY KEY,
  account_id TEXT NOT NULL UNIQUE CHECK (account_id <> ''),
  name TEXT NOT NULL UNIQUE CHECK (name <> ''),
  created_at_us INTEGER NOT NULL
) STRICT;

CREATE TABLE license (
  id INTEGER PRIMARY KEY,
  license_id TEXT NOT NULL UNIQUE CHECK (license_id <> ''),
  account_row INTEGER NOT NULL REFERENCES account,
  name TEXT NOT NULL CHECK (name <> ''),
  key_digest BLOB NOT NULL UNIQUE,
  key_hint TEXT NOT NULL,
  -- LicenseState, LicenseModel, EnrollmentPolicy.
  state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 3),
  model INTEGER NOT NULL CHECK (model BETWEEN 1 AND 3),
  enrollment_policy INTEGER NOT NULL CHECK (enrollment_policy BETWEEN 1 AND 3),
  created_at_us INTEGER NOT NULL,
  starts_at_us INTEGER NOT NULL,
  -- NULL: without end.
  ends_at_us INTEGER,
  -- NULL: the default of the model.
  grace_period_ns INTEGER CHECK (grace_period_ns >= 0),
  one_agent_installation INTEGER NOT NULL
    CHECK (one_agent_installation IN (0, 1)),
  UNIQUE (account_row, name)
) STRICT;

-- LicenseLimits; `id` is the license's.
CREATE TABLE license_limits (
  id INTEGER PRIMARY KEY REFERENCES license,
  host_units_milli INTEGER CHECK (host_units_milli >= 0),
  rum_sessions INTEGER CHECK (rum_sessions >= 0),
  synthetic_executions INTEGER CHECK (synthetic_executions >= 0),
  clusters INTEGER CHECK (clusters >= 0),
  overage INTEGER NOT NULL,
  reset INTEGER NOT NULL
) STRICT;

-- MeterLimit.
CREATE TABLE license_meter (
  parent INTEGER NOT NULL REFERENCES license_limits,
  position INTEGER NOT NULL,
  meter_id TEXT NOT NULL,
  quantity INTEGER CHECK (quantity >= 0),
  unit TEXT NOT NULL,
  overage INTEGER NOT NULL,
  PRIMARY KEY (parent, position)
) STRICT, WITHOUT ROWID;

-- Entitlement.
CREATE TABLE license_entitlement (
  parent INTEGER NOT NULL REFERENCES license,
  position INTEGER NOT NULL,
  name TEXT NOT NULL,
  enabled INTEGER CHECK (enabled IN (0, 1)),
  "limit" INTEGER,
  PRIMARY KEY (parent, position),
  CHECK (enabled IS NULL OR "limit" IS NULL)
) STRICT, WITHOUT ROWID;

CREATE TABLE cluster (
  id INTEGER PRIMARY KEY,
  cluster_id TEXT NOT NULL UNIQUE CHECK (cluster_id <> ''),
  license_row INTEGER NOT NULL REFERENCES license,
  -- RegistrationStatus.
  registration INTEGER NOT NULL CHECK (registration BETWEEN 1 AND 4),
  registered_at_us INTEGER NOT NULL,
  user_name TEXT NOT NULL,
  password_digest BLOB NOT NULL,
  tls_key_digest BLOB NOT NULL,
  site_public_key BLOB NOT NULL,
  certificate_serial TEXT NOT NULL,
  certificate_not_after_us INTEGER NOT NULL,
  remote_ui_requested INTEGER NOT NULL CHECK (remote_ui_requested IN (0, 1)),
  -- The newest of its presence; NULL: never.
  last_heartbeat_at_us INTEGER,
  -- HealthStatus and time of the latest health report.
  health INTEGER NOT NULL DEFAULT 0,
  last_health_at_us INTEGER
) STRICT;
CREATE INDEX cluster_by_license ON cluster (license_row);
CREATE INDEX cluster_by_health ON cluster (health);
-- Only of those never seen: another index would be written at every beat.
CREATE INDEX cluster_never_seen ON cluster (last_heartbeat_at_us)
  WHERE last_heartbeat_at_us IS NULL;

CREATE TABLE operator (
  name TEXT PRIMARY KEY NOT NULL CHECK (name <> ''),
  -- 1 viewer, 2 operator, 3 admin.
  role INTEGER NOT NULL CHECK (role BETWEEN 1 AND 3)
) STRICT, WITHOUT ROWID;

CREATE TABLE report (
  id INTEGER PRIMARY KEY,
  cluster_row INTEGER NOT NULL REFERENCES cluster,
  lane INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  sequence INTEGER NOT NULL CHECK (sequence >= 0),
  digest BLOB NOT NULL,
  -- The serialized ReportReceipt.
  receipt BLOB NOT NULL,
  accepted_at_us INTEGER NOT NULL,
  UNIQUE (cluster_row, lane, epoch, sequence)
) STRICT;

-- The highest accepted sequence of an epoch.
CREATE TABLE lane_mark (
  cluster_row INTEGER NOT NULL REFERENCES cluster,
  lane INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  sequence INTEGER NOT NULL CHECK (sequence >= 0),
  PRIMARY KEY (cluster_row, lane, epoch)
) STRICT, WITHOUT ROWID;

-- HealthCheck.
CREATE TABLE health_report (
  id INTEGER PRIMARY KEY,
  cluster_row INTEGER NOT NULL REFERENCES cluster,
  received_at_us INTEGER NOT NULL,
  cluster_id TEXT NOT NULL,
  observed_at_ns INTEGER,
  has_privacy_settings INTEGER NOT NULL CHECK (has_privacy_settings IN (0, 1)),
  privacy_settings_cluster_events INTEGER,
  privacy_settings_deployment_details INTEGER,
  privacy_settings_telemetry INTEGER,
  privacy_settings_remote_access INTEGER,
  privacy_settings_remote_settings INTEGER,
  time_zone TEXT NOT NULL,
  has_traffic_size INTEGER NOT NULL CHECK (has_traffic_size IN (0, 1)),
  traffic_size_bytes INTEGER CHECK (traffic_size_bytes >= 0),
  has_traffic_size_time_frame INTEGER NOT NULL
    CHECK (has_traffic_size_time_frame IN (0, 1)),
  traffic_size_time_frame_start_ns INTEGER,
  traffic_size_time_frame_end_ns INTEGER,
  has_update_window INTEGER NOT NULL CHECK (has_update_window IN (0, 1)),
  update_window_day INTEGER,
  update_window_start_minute INTEGER,
  update_window_duration_ns INTEGER
) STRICT;
CREATE INDEX health_report_by_cluster ON health_report (cluster_row);

-- NodeHealth.
CREATE TABLE health_node (
  id INTEGER PRIMARY KEY,
  parent INTEGER NOT NULL REFERENCES health_report ON DELETE CASCADE,
  position INTEGER NOT NULL,
  node_id TEXT NOT NULL,
  os_name TEXT NOT NULL,
  os_version TEXT NOT NULL,
  cpu_cores INTEGER NOT NULL CHECK (cpu_cores >= 0),
  cpu_load REAL NOT NULL CHECK (cpu_load >= 0),
  total_memory_bytes INTEGER NOT NULL CHECK (total_memory_bytes >= 0),
  free_memory_bytes INTEGER NOT NULL CHECK (free_memory_bytes >= 0),
  server_state INTEGER NOT NULL,
  master INTEGER NOT NULL CHECK (master IN (0, 1)),
  started_at_ns INTEGER,
  product_version TEXT NOT NULL,
  agent_version TEXT NOT NULL,
  memory_limit_bytes INTEGER CHECK (memory_limit_bytes >= 0),
  cpu_limit_millicores INTEGER CHECK (cpu_limit_millicores >= 0),
  UNIQUE (parent, position)
) STRICT;

-- StoragePartition.
CREATE TABLE health_partition (
  parent INTEGER NOT NULL REFERENCES health_node ON DELETE CASCADE,
  position INTEGER NOT NULL,
  label TEXT NOT NULL,
  total_bytes INTEGER NOT NULL CHECK (total_bytes >= 0),
  used_bytes INTEGER NOT NULL CHECK (used_bytes >= 0),
  PRIMARY KEY (parent, position)
) STRICT, WITHOUT ROWID;

-- ServiceHealth.
CREATE TABLE health_service (
  parent INTEGER NOT NULL REFERENCES health_node ON DELETE CASCADE,
  position INTEGER NOT NULL,
  name TEXT NOT NULL,
  state INTEGER NOT NULL,
  PRIMARY KEY (parent, position)
) STRICT, WITHOUT ROWID;

-- ActiveGateHealth.
CREATE TABLE health_active_gate (
  parent INTEGER NOT NULL REFERENCES health_report ON DELETE CASCADE,
  position INTEGER NOT NULL,
  active_gate_id TEXT NOT NULL,
  version TEXT NOT NULL,
  os_name TEXT NOT NULL,
  os_version TEXT NOT NULL,
  status INTEGER NOT NULL,
  certificate_issuer TEXT NOT NULL,
  type INTEGER NOT NULL,
  PRIMARY KEY (parent, position)
) STRICT, WITHOUT ROWID;

-- HealthCheckResult; `id` is the report's.
CREATE TABLE health_result (
  id INTEGER PRIMARY KEY REFERENCES health_report ON DELETE CASCADE,
  status INTEGER NOT NULL,
  message TEXT NOT NULL
) STRICT;

CREATE TABLE health_finding (
  parent INTEGER NOT NULL REFERENCES health_result ON DELETE CASCADE,
  position INTEGER NOT NULL,
  severity INTEGER NOT NULL,
  code TEXT NOT NULL,
  message TEXT NOT NULL,
  node_id TEXT NOT NULL,
  subject TEXT NOT NULL,
  PRIMARY KEY (parent, position)
) STRICT, WITHOUT ROWID;

-- Consumption. Account and license are those at the time of acceptance.
CREATE TABLE consumption_report (
  id INTEGER PRIMARY KEY,
  account_row INTEGER NOT NULL REFERENCES account,
  license_row INTEGER NOT NULL REFERENCES license,
  cluster_row INTEGER NOT NULL REFERENCES cluster,
  epoch INTEGER NOT NULL,
  sequence INTEGER NOT NULL CHECK (sequence >= 0),
  accepted_at_us INTEGER NOT NULL,
  cluster_id TEXT NOT NULL,
  has_time_frame INTEGER NOT NULL CHECK (has_time_frame IN (0, 1)),
  time_frame_start_ns INTEGER,
  time_frame_end_ns INTEGER,
  UNIQUE (cluster_row, epoch, sequence)
) STRICT;
-- For listings, the newest first.
CREATE INDEX consumption_report_by_account ON consumption_report (account_row);
CREATE INDEX consumption_report_by_license ON consumption_report (license_row);
CREATE INDEX consumption_report_by_cluster ON consumption_report (cluster_row);
-- For the sums of a period, and the intervals of an hour.
CREATE INDEX consumption_report_by_license_and_time
  ON consumption_report (license_row, time_frame_start_ns);
CREATE INDEX consumption_report_by_cluster_and_time
  ON consumption_report (cluster_row, time_frame_start_ns);

-- EnvironmentConsumption.
CREATE TABLE consumption_environment (
  id INTEGER PRIMARY KEY,
  parent INTEGER NOT NULL REFERENCES consumption_report,
  position INTEGER NOT NULL,
  environment_id TEXT NOT NULL,
  new_problems INTEGER NOT NULL CHECK (new_problems >= 0),
  rum_sessions INTEGER NOT NULL CHECK (rum_sessions >= 0),
  UNIQUE (parent, position)
) STRICT;

-- SyntheticMonitorConsumption.
CREATE TABLE consumption_monitor (
  parent INTEGER NOT NULL REFERENCES consumption_environment,
  position INTEGER NOT NULL,
  monitor_id TEXT NOT NULL,
  description TEXT NOT NULL,
  type INTEGER NOT NULL,
  success_count INTEGER NOT NULL CHECK (success_count >= 0),
  failure_count INTEGER NOT NULL CHECK (failure_count >= 0),
  action_count INTEGER NOT NULL CHECK (action_count >= 0),
  PRIMARY KEY (parent, position)
) STRICT, WITHOUT ROWID;

-- HostConsumption.
CREATE TABLE consumption_host (
  id INTEGER PRIMARY KEY,
  parent INTEGER NOT NULL REFERENCES consumption_environment,
  position INTEGER NOT NULL,
  host_id TEXT NOT NULL,
  host_category INTEGER NOT NULL,
  memory_bytes INTEGER NOT NULL CHECK (memory_bytes >= 0),
  UNIQUE (parent, position)
) STRICT;
CREATE INDEX consumption_host_by_id ON consumption_host (parent, host_id);

CREATE TABLE consumption_technology (
  parent INTEGER NOT NULL REFERENCES consumption_host,
  position INTEGER NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (parent, position)
) STRICT, WITHOUT ROWID;

-- When a host was monitored.
CREATE TABLE consumption_interval (
  parent INTEGER NOT NULL REFERENCES consumption_host,
  position INTEGER NOT NULL,
  start_ns INTEGER,
  end_ns INTEGER,
  PRIMARY KEY (parent, position)
) STRICT, WITHOUT ROWID;

-- MeterConsumption.
CREATE TABLE consumption_meter (
  parent INTEGER NOT NULL REFERENCES consumption_environment,
  position INTEGER NOT NULL,
  meter_id TEXT NOT NULL,
  quantity INTEGER NOT NULL CHECK (quantity >= 0),
  unit TEXT NOT NULL,
  PRIMARY KEY (parent, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE host_hour (
  license_row INTEGER NOT NULL REFERENCES license,
  cluster_row INTEGER NOT NULL REFERENCES cluster,
  environment_id TEXT NOT NULL,
  host_id TEXT NOT NULL,
  hour_us INTEGER NOT NULL,
  monitored_ns INTEGER NOT NULL
    CHECK (monitored_ns BETWEEN 0 AND 3600000000000),
  host_units_milli INTEGER NOT NULL CHECK (host_units_milli >= 0),
  PRIMARY KEY (cluster_row, environment_id, host_id, hour_us)
) STRICT, WITHOUT ROWID;
CREATE INDEX host_hour_by_license
  ON host_hour (license_row, hour_us, environment_id, host_units_milli);

CREATE TABLE presence (
  id INTEGER PRIMARY KEY,
  cluster_row INTEGER NOT NULL REFERENCES cluster,
  node_id TEXT NOT NULL,
  source_type INTEGER NOT NULL,
  last_heartbeat_at_us INTEGER NOT NULL,
  heartbeats INTEGER NOT NULL CHECK (heartbeats >= 0),
  UNIQUE (cluster_row, node_id, source_type)
) STRICT;

CREATE TABLE exchange_count (
  id INTEGER PRIMARY KEY,
  -- Empty: callers without an identity.
  cluster_id TEXT NOT NULL,
  exchange INTEGER NOT NULL,
  succeeded INTEGER NOT NULL CHECK (succeeded >= 0),
  failed INTEGER NOT NULL CHECK (failed >= 0),
  last_at_us INTEGER NOT NULL,
  last_result TEXT NOT NULL,
  UNIQUE (cluster_id, exchange)
) STRICT;

CREATE TABLE release (
  id INTEGER PRIMARY KEY,
  release_id TEXT NOT NULL UNIQUE CHECK (release_id <> ''),
  created_at_us INTEGER NOT NULL,
  component INTEGER NOT NULL,
  label TEXT NOT NULL,
  version TEXT NOT NULL CHECK (version <> ''),
  -- The bytes that were signed: a serialized ReleaseDocument.
  document BLOB NOT NULL,
  key_id TEXT NOT NULL,
  signature BLOB NOT NULL,
  UNIQUE (component, label, version)
) STRICT;
CREATE INDEX release_by_component ON release (component);
