-- Whole years and the day on which they were so, sealed under the person's key; never a birth date. One row for each who
-- says something: of a provider, for each of its grants. {role} is the application role of this database.

CREATE TABLE person_age (
  id uuid NOT NULL CONSTRAINT pk_person_age PRIMARY KEY,
  district_id uuid NOT NULL REFERENCES district (id),
  person_id uuid NOT NULL REFERENCES person (id),
  source text NOT NULL CONSTRAINT ck_person_age_source CHECK (source IN ('provider', 'teacher', 'self')),
  grant_id uuid REFERENCES grants (id),
  sealed bytea NOT NULL,
  recorded_by text NOT NULL,
  recorded_at timestamptz NOT NULL,
  CONSTRAINT ck_person_age_grant_id CHECK ((source = 'provider') = (grant_id IS NOT NULL))
);
CREATE UNIQUE INDEX person_age_is_said_once ON person_age (person_id, source, grant_id) NULLS NOT DISTINCT;
CREATE INDEX ix_person_age_grant_id ON person_age (grant_id);
ALTER TABLE person_age ENABLE ROW LEVEL SECURITY;
ALTER TABLE person_age FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON person_age USING (district_id = current_district()) WITH CHECK (district_id = current_district());
GRANT SELECT, INSERT, UPDATE, DELETE ON person_age TO {role};

CREATE TRIGGER person_must_stand BEFORE INSERT ON person_age FOR EACH ROW EXECUTE FUNCTION person_must_stand();

-- What a district states of everybody in a school: so many whole years, at the least, on a day.
CREATE TABLE age_statement (
  district_id uuid NOT NULL REFERENCES district (id),
  school text NOT NULL CONSTRAINT ck_age_statement_school CHECK (school <> ''),
  years integer NOT NULL CONSTRAINT ck_age_statement_years CHECK (years BETWEEN 3 AND 120),
  stated_on date NOT NULL,
  stated_by text NOT NULL,
  CONSTRAINT pk_age_statement PRIMARY KEY (district_id, school)
);
ALTER TABLE age_statement ENABLE ROW LEVEL SECURITY;
ALTER TABLE age_statement FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON age_statement
  USING (district_id = current_district()) WITH CHECK (district_id = current_district());
GRANT SELECT, INSERT, UPDATE, DELETE ON age_statement TO {role};
