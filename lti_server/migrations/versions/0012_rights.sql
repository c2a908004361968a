-- Erasing a person: the tombstone stands for good, nothing is written of whoever is erased, and each has a receipt.
-- {role} is the application role of this database.

-- Held against every role: a key that was destroyed is never made again, and its tombstone never goes.
CREATE FUNCTION tombstone_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.key_destroyed_at IS NOT NULL THEN
    IF TG_OP = 'DELETE' OR NEW IS DISTINCT FROM OLD THEN
      RAISE EXCEPTION 'a tombstone stays as it is' USING ERRCODE = 'LG004';
    END IF;
  END IF;
  IF TG_OP = 'DELETE' THEN
    RETURN OLD;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER tombstone_stays BEFORE UPDATE OR DELETE ON person FOR EACH ROW EXECUTE FUNCTION tombstone_stays();
ALTER TABLE person ENABLE ALWAYS TRIGGER tombstone_stays;

-- Whoever erases locks the person's row; whoever writes of the person waits for that, and then finds the tombstone.
CREATE FUNCTION person_must_stand() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.person_id IS NULL THEN
    RETURN NEW;
  END IF;
  PERFORM FROM person WHERE id = NEW.person_id AND key_destroyed_at IS NULL FOR KEY SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the person was erased' USING ERRCODE = 'LG004';
  END IF;
  RETURN NEW;
END $$;
DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY[
    'person_field', 'identity', 'session', 'membership', 'progress_event', 'grade_delivery']
  LOOP
    EXECUTE format('CREATE TRIGGER person_must_stand BEFORE INSERT ON %I FOR EACH ROW EXECUTE FUNCTION person_must_stand()', name);
  END LOOP;
END $$;

-- One erasure a person. `erased_at` is empty while grades are taken out of gradebooks.
CREATE TABLE erasure (
  person_id uuid CONSTRAINT pk_erasure PRIMARY KEY REFERENCES person (id),
  district_id uuid NOT NULL REFERENCES district (id),
  asked_by text NOT NULL,
  keeps_grades boolean NOT NULL,
  requested_at timestamptz NOT NULL,
  erased_at timestamptz
);
CREATE INDEX ix_erasure_district_id ON erasure (district_id);
CREATE INDEX ix_erasure_open ON erasure (requested_at) WHERE erased_at IS NULL;

-- What each feature took away: counts alone.
CREATE TABLE erasure_receipt (
  id uuid CONSTRAINT pk_erasure_receipt PRIMARY KEY,
  district_id uuid NOT NULL REFERENCES district (id),
  person_id uuid NOT NULL REFERENCES erasure (person_id),
  participant text NOT NULL,
  at timestamptz NOT NULL,
  did jsonb NOT NULL
);
CREATE INDEX ix_erasure_receipt_person_id ON erasure_receipt (person_id);

DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['erasure', 'erasure_receipt'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant ON %I USING (district_id = current_district()) WITH CHECK (district_id = current_district())', name);
  END LOOP;
END $$;
GRANT SELECT, INSERT ON erasure, erasure_receipt TO {role};
GRANT UPDATE (erased_at) ON erasure TO {role};
