-- What the notice at /privacy says, version by version: everybody's, so no tenant. Announced once, and not changed.
-- Version 1 is the program as it came, and has no row. {role} is the application role of this database.
CREATE TABLE policy_version (
  id uuid CONSTRAINT pk_policy_version PRIMARY KEY,
  version integer NOT NULL CONSTRAINT uq_policy_version_version UNIQUE CHECK (version > 1),
  acts_on date NOT NULL,
  material boolean NOT NULL,
  purposes text[] NOT NULL,
  summary_en text NOT NULL,
  summary_fr text NOT NULL,
  announced_at timestamptz NOT NULL
);
GRANT SELECT, INSERT ON policy_version TO {role};

-- That somebody agreed to a use that was new when their data were here already: as whom, and under which policy.
CREATE TABLE consent (
  id uuid CONSTRAINT pk_consent PRIMARY KEY,
  district_id uuid NOT NULL REFERENCES district (id),
  person_id uuid NOT NULL REFERENCES person (id),
  purpose text NOT NULL,
  given_as text NOT NULL CONSTRAINT ck_consent_given_as CHECK (given_as IN ('guardian', 'school', 'self')),
  policy_hash text NOT NULL,
  notice_version integer NOT NULL,
  given_at timestamptz NOT NULL,
  withdrawn_at timestamptz
);
CREATE UNIQUE INDEX consent_stands_once ON consent (person_id, purpose) WHERE withdrawn_at IS NULL;
CREATE INDEX ix_consent_district_id ON consent (district_id);
ALTER TABLE consent ENABLE ROW LEVEL SECURITY;
ALTER TABLE consent FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON consent USING (district_id = current_district()) WITH CHECK (district_id = current_district());
GRANT SELECT, INSERT, DELETE ON consent TO {role};
GRANT UPDATE (withdrawn_at) ON consent TO {role};
