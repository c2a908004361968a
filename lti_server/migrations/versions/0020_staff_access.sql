-- Why somebody of a district's staff looks at people's data, and until when. {role} is the application role of this database.
-- It is one session's: `sealed` are its words under the district's key. The row goes once it has expired; the log stays.
CREATE TABLE staff_access (
  id uuid CONSTRAINT pk_staff_access PRIMARY KEY,
  district_id uuid NOT NULL REFERENCES district (id),
  session_id uuid NOT NULL,
  reason text NOT NULL CONSTRAINT ck_staff_access_reason CHECK (reason IN ('request', 'support', 'safety', 'review')),
  sealed bytea NOT NULL,
  opened_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  CONSTRAINT ck_staff_access_is_short CHECK (expires_at <= opened_at + interval '30 minutes')
);
CREATE INDEX ix_staff_access_session_id ON staff_access (session_id);
CREATE INDEX ix_staff_access_district_id ON staff_access (district_id);
CREATE INDEX ix_staff_access_expires_at ON staff_access (expires_at);
ALTER TABLE staff_access ENABLE ROW LEVEL SECURITY;
ALTER TABLE staff_access FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON staff_access USING (district_id = current_district()) WITH CHECK (district_id = current_district());
GRANT SELECT, INSERT, DELETE ON staff_access TO {role};
