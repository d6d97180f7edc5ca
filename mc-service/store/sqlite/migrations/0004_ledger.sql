-- The ledger: what was used, once each, and what it adds up to.
--
-- Whatever was reported before is entered at the next start, see
-- ledger_backlog.

-- From when on which model and LicenseLimits hold; the first ones from the
-- license's creation on.
CREATE TABLE license_terms (
  id INTEGER PRIMARY KEY,
  license_row INTEGER NOT NULL REFERENCES license ON DELETE CASCADE,
  from_us INTEGER NOT NULL,
  model INTEGER NOT NULL CHECK (model BETWEEN 1 AND 3),
  host_units_milli INTEGER CHECK (host_units_milli >= 0),
  rum_sessions INTEGER CHECK (rum_sessions >= 0),
  synthetic_executions INTEGER CHECK (synthetic_executions >= 0),
  clusters INTEGER CHECK (clusters >= 0),
  overage INTEGER NOT NULL,
  reset INTEGER NOT NULL,
  UNIQUE (license_row, from_us)
) STRICT;

-- MeterLimit.
CREATE TABLE license_terms_meter (
  parent INTEGER NOT NULL REFERENCES license_terms ON DELETE CASCADE,
  position INTEGER NOT NULL,
  meter_id TEXT NOT NULL,
  quantity INTEGER CHECK (quantity >= 0),
  unit TEXT NOT NULL,
  overage INTEGER NOT NULL,
  PRIMARY KEY (parent, position)
) STRICT, WITHOUT ROWID;

INSERT INTO license_terms (license_row, from_us, model, host_units_milli,
  rum_sessions, synthetic_executions, clusters, overage, reset)
  SELECT license.id, created_at_us, model, host_units_milli, rum_sessions,
    synthetic_executions, clusters, overage, reset
  FROM license JOIN license_limits ON license_limits.id = license.id
  ORDER BY license.id;
INSERT INTO license_terms_meter (parent, position, meter_id, quantity, unit,
  overage)
  SELECT license_terms.id, position, meter_id, quantity, unit,
    license_meter.overage
  FROM license_meter JOIN license_terms ON license_row = parent;

-- Of which time frames a cluster has reported, in which epochs, how often.
CREATE TABLE ledger_frame (
  cluster_row INTEGER NOT NULL REFERENCES cluster ON DELETE CASCADE,
  start_ns INTEGER NOT NULL,
  end_ns INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  reports INTEGER NOT NULL CHECK (reports > 0),
  PRIMARY KEY (cluster_row, start_ns, end_ns, epoch)
) STRICT, WITHOUT ROWID;

-- LedgerEntry.
CREATE TABLE ledger_entry (
  id INTEGER PRIMARY KEY,
  account_row INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
  license_row INTEGER NOT NULL REFERENCES license ON DELETE CASCADE,
  cluster_row INTEGER NOT NULL REFERENCES cluster ON DELETE CASCADE,
  environment_id TEXT NOT NULL,
  -- 1 RUM sessions, 2 synthetic executions, 3 thousandths of host-unit-hours,
  -- 4 generic, 5 problems.
  meter INTEGER NOT NULL CHECK (meter BETWEEN 1 AND 5),
  meter_id TEXT NOT NULL,
  unit TEXT NOT NULL,
  -- Host or monitor.
  resource_id TEXT NOT NULL,
  start_ns INTEGER NOT NULL,
  end_ns INTEGER NOT NULL,
  quantity INTEGER NOT NULL CHECK (quantity >= 0),
  epoch INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  accepted_at_us INTEGER NOT NULL,
  -- Whether there are rows in ledger_part.
  has_parts INTEGER NOT NULL CHECK (has_parts IN (0, 1)),
  -- The identity: unique, whatever was sent again, in whatever epoch.
  UNIQUE (cluster_row, start_ns, end_ns, environment_id, meter, meter_id, unit,
          resource_id)
) STRICT;
-- For listings.
CREATE INDEX ledger_entry_by_account ON ledger_entry (account_row);
CREATE INDEX ledger_entry_by_license ON ledger_entry (license_row);
CREATE INDEX ledger_entry_by_cluster ON ledger_entry (cluster_row);

-- Where frames of several epochs overlap: what each epoch brought.
CREATE TABLE ledger_part (
  entry_row INTEGER NOT NULL REFERENCES ledger_entry ON DELETE CASCADE,
  epoch INTEGER NOT NULL,
  quantity INTEGER NOT NULL CHECK (quantity >= 0),
  PRIMARY KEY (entry_row, epoch)
) STRICT, WITHOUT ROWID;

-- UsageTotal.
CREATE TABLE ledger_total (
  id INTEGER PRIMARY KEY,
  account_row INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
  license_row INTEGER NOT NULL REFERENCES license ON DELETE CASCADE,
  cluster_row INTEGER NOT NULL REFERENCES cluster ON DELETE CASCADE,
  environment_id TEXT NOT NULL,
  meter INTEGER NOT NULL CHECK (meter BETWEEN 1 AND 5),
  meter_id TEXT NOT NULL,
  unit TEXT NOT NULL,
  period_start_us INTEGER NOT NULL,
  period_end_us INTEGER NOT NULL,
  quantity INTEGER NOT NULL CHECK (quantity >= 0),
  UNIQUE (license_row, period_start_us, cluster_row, environment_id, meter,
          meter_id, unit)
) STRICT;
CREATE INDEX ledger_total_by_cluster ON ledger_total (cluster_row);

-- The same over all clusters of a license.
CREATE TABLE ledger_license_total (
  license_row INTEGER NOT NULL REFERENCES license ON DELETE CASCADE,
  period_start_us INTEGER NOT NULL,
  meter INTEGER NOT NULL CHECK (meter BETWEEN 1 AND 5),
  meter_id TEXT NOT NULL,
  unit TEXT NOT NULL,
  period_end_us INTEGER NOT NULL,
  quantity INTEGER NOT NULL CHECK (quantity >= 0),
  -- Of host-unit-hours, hour by hour; else 0.
  overage INTEGER NOT NULL CHECK (overage >= 0),
  PRIMARY KEY (license_row, period_start_us, meter, meter_id, unit)
) STRICT, WITHOUT ROWID;

-- Host units in use in a UTC hour.
CREATE TABLE ledger_hour (
  cluster_row INTEGER NOT NULL REFERENCES cluster ON DELETE CASCADE,
  environment_id TEXT NOT NULL,
  hour_us INTEGER NOT NULL,
  license_row INTEGER NOT NULL REFERENCES license ON DELETE CASCADE,
  host_units_milli INTEGER NOT NULL CHECK (host_units_milli >= 0),
  PRIMARY KEY (cluster_row, environment_id, hour_us, license_row)
) STRICT, WITHOUT ROWID;
CREATE INDEX ledger_hour_by_cluster ON ledger_hour (cluster_row, hour_us);
CREATE INDEX ledger_hour_by_license ON ledger_hour (license_row, hour_us);

CREATE TABLE ledger_license_hour (
  license_row INTEGER NOT NULL REFERENCES license ON DELETE CASCADE,
  hour_us INTEGER NOT NULL,
  host_units_milli INTEGER NOT NULL CHECK (host_units_milli >= 0),
  PRIMARY KEY (license_row, hour_us)
) STRICT, WITHOUT ROWID;

-- Made anew with the ledger. host_units_milli is now what the host weighs, also
-- where it was not monitored long enough to count.
DROP INDEX host_hour_by_license;
DELETE FROM host_hour;

-- The reports that were there before: those after `entered` up to `last` are
-- not in the ledger yet.
CREATE TABLE ledger_backlog (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  entered INTEGER NOT NULL,
  last INTEGER NOT NULL
) STRICT;
INSERT INTO ledger_backlog
  SELECT 1, 0, coalesce(max(id), 0) FROM consumption_report;
