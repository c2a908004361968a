-- What somebody who is signed in asks of their district about their own data. {role} is the application role of this database.
-- `sealed` are words under the person's key, gone once it is answered, at the latest at expires_at. The row goes with the person.
CREATE TABLE own_request (
  id uuid CONSTRAINT pk_own_request PRIMARY KEY,
  district_id uuid NOT NULL REFERENCES district (id),
  person_id uuid NOT NULL REFERENCES person (id),
  wish text NOT NULL CONSTRAINT ck_own_request_wish CHECK (wish IN ('correct', 'leave', 'restrict', 'erase', 'question')),
  sealed bytea,
  received_at timestamptz NOT NULL,
  due_on date,
  expires_at timestamptz NOT NULL,
  answered_at timestamptz,
  answered_by text
);
CREATE INDEX ix_own_request_district_id_received_at ON own_request (district_id, received_at);
CREATE INDEX ix_own_request_person_id ON own_request (person_id);
CREATE TRIGGER person_must_stand BEFORE INSERT ON own_request FOR EACH ROW EXECUTE FUNCTION person_must_stand();
ALTER TABLE own_request ENABLE ROW LEVEL SECURITY;
ALTER TABLE own_request FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON own_request USING (district_id = current_district()) WITH CHECK (district_id = current_district());
GRANT SELECT, INSERT, DELETE, UPDATE (sealed, answered_at, answered_by) ON own_request TO {role};
