-- What a district puts right by itself, and to whom nothing of a person may go. {role} is the application role of this database.

-- A value that stands whatever a source says of the field (law 11). Ciphertext under the person's key.
CREATE TABLE correction (
  district_id uuid NOT NULL REFERENCES district (id),
  person_id uuid NOT NULL REFERENCES person (id),
  field text NOT NULL,
  ciphertext bytea NOT NULL,
  corrected_by text NOT NULL,
  corrected_at timestamptz NOT NULL,
  CONSTRAINT pk_correction PRIMARY KEY (person_id, field)
);
CREATE INDEX ix_correction_district_id_corrected_at ON correction (district_id, corrected_at);

-- A class of recipients to whom nothing of this person is disclosed (34 CFR 99.37); the gate reads it at each disclosure.
CREATE TABLE disclosure_restriction (
  district_id uuid NOT NULL REFERENCES district (id),
  person_id uuid NOT NULL REFERENCES person (id),
  recipients text NOT NULL,
  restricted_by text NOT NULL,
  restricted_at timestamptz NOT NULL,
  CONSTRAINT pk_disclosure_restriction PRIMARY KEY (person_id, recipients)
);
CREATE INDEX ix_disclosure_restriction_district_id ON disclosure_restriction (district_id);

DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['correction', 'disclosure_restriction'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant ON %I USING (district_id = current_district()) WITH CHECK (district_id = current_district())', name);
    EXECUTE format('CREATE TRIGGER person_must_stand BEFORE INSERT ON %I FOR EACH ROW EXECUTE FUNCTION person_must_stand()', name);
  END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE, DELETE ON correction TO {role};
GRANT SELECT, INSERT, DELETE ON disclosure_restriction TO {role};
