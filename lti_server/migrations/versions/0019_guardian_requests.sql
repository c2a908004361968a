-- What somebody asks of a district at the guardian's door. {role} is the application role of this database.
-- `sealed` is under the district's key, and gone once it is answered, at the latest at expires_at.
CREATE TABLE guardian_request (
  id uuid CONSTRAINT pk_guardian_request PRIMARY KEY,
  district_id uuid NOT NULL REFERENCES district (id),
  sealed bytea,
  received_at timestamptz NOT NULL,
  due_on date,
  expires_at timestamptz NOT NULL,
  answered_at timestamptz,
  answered_by text
);
CREATE INDEX ix_guardian_request_district_id_received_at ON guardian_request (district_id, received_at);
ALTER TABLE guardian_request ENABLE ROW LEVEL SECURITY;
ALTER TABLE guardian_request FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON guardian_request USING (district_id = current_district()) WITH CHECK (district_id = current_district());
GRANT SELECT, INSERT, UPDATE, DELETE ON guardian_request TO {role};
