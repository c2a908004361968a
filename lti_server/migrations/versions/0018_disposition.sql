-- Directives for disposition (NDPA Exhibit D). Counts and dates alone: nothing about a person.
-- {role} is the application role of this database.

CREATE TABLE disposition (
  id uuid CONSTRAINT pk_disposition PRIMARY KEY,
  district_id uuid NOT NULL REFERENCES district (id),
  -- Whose data: that of one revoked grant, or (none) of the whole district.
  grant_id uuid REFERENCES grants (id),
  asked_by text NOT NULL,
  requested_at timestamptz NOT NULL,
  due_on date NOT NULL,
  -- The number that sets the last day, and the clause that it comes from.
  days integer NOT NULL,
  clause text NOT NULL,
  returned boolean NOT NULL,
  state text NOT NULL CONSTRAINT ck_disposition_state CHECK (state IN ('waiting', 'running', 'failed', 'done')),
  done_at timestamptz,
  did jsonb NOT NULL DEFAULT '{}',
  CONSTRAINT ck_disposition_done CHECK ((done_at IS NOT NULL) = (state = 'done'))
);
CREATE INDEX ix_disposition_district_id ON disposition (district_id);
CREATE UNIQUE INDEX disposition_is_open_once ON disposition (district_id, grant_id) NULLS NOT DISTINCT
  WHERE state <> 'done';
ALTER TABLE disposition ENABLE ROW LEVEL SECURITY;
ALTER TABLE disposition FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON disposition USING (district_id = current_district()) WITH CHECK (district_id = current_district());
GRANT SELECT, INSERT ON disposition TO {role};
GRANT UPDATE (state, done_at, did) ON disposition TO {role};

-- What is done stays as its certificate says, against every role.
CREATE FUNCTION disposition_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'UPDATE' OR OLD.state = 'done' THEN
    RAISE EXCEPTION 'a disposition stays as it was' USING ERRCODE = 'LG002';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER disposition_stays BEFORE UPDATE OR DELETE ON disposition
  FOR EACH ROW EXECUTE FUNCTION disposition_stays();
ALTER TABLE disposition ENABLE ALWAYS TRIGGER disposition_stays;
