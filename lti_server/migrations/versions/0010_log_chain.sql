-- The log is only added to, says whose data and in which interest, and is sealed in a chain (design 2, "Log").
-- {role} is the application role of this database.

-- Whose data: `person` (object_id says whose), `section:<id>`, `district`; empty where nobody's.
ALTER TABLE log_entry ADD COLUMN population text NOT NULL DEFAULT ''
  CONSTRAINT ck_log_entry_population CHECK (population ~ '^([a-z_]+(:[0-9a-f-]{36})?)?$');
-- The legitimate interest of whoever asked or received (34 CFR 99.32(a)(3)(ii)).
ALTER TABLE log_entry ADD COLUMN interest text NOT NULL DEFAULT '';

-- What is about one person, for that person. A launch is found by its object, so its actor needs no second entry here.
CREATE INDEX ix_log_entry_object_id ON log_entry (object_id) WHERE object_id IS NOT NULL;
CREATE INDEX ix_log_entry_population ON log_entry (population, at) WHERE population LIKE '%:%';
CREATE INDEX ix_log_entry_actor ON log_entry (actor)
  WHERE actor LIKE 'person:%' AND (object_id IS NULL OR actor <> 'person:' || object_id::text);

-- The chain: position by position, one link an entry. `hash` is over the link before it and over all that stands here.
CREATE TABLE log_link (
  district_id uuid NOT NULL,
  position bigint NOT NULL CONSTRAINT ck_log_link_position CHECK (position >= 1),
  entry_id bigint NOT NULL,
  sealed_at timestamptz NOT NULL,
  hash bytea NOT NULL,
  CONSTRAINT pk_log_link PRIMARY KEY (district_id, position),
  CONSTRAINT uq_log_link_entry_id UNIQUE (entry_id)
);

-- Committed and not in the chain yet. An entry that commits late waits here like any other: no order of ids, of times or
-- of commits lets one be passed over.
CREATE TABLE log_pending (
  district_id uuid NOT NULL,
  entry_id bigint NOT NULL,
  CONSTRAINT pk_log_pending PRIMARY KEY (district_id, entry_id)
);
-- What was logged before there was a chain. The owner is under row-level security, too, and would see none of it.
ALTER TABLE log_entry NO FORCE ROW LEVEL SECURITY;
INSERT INTO log_pending (district_id, entry_id) SELECT district_id, id FROM log_entry;
ALTER TABLE log_entry FORCE ROW LEVEL SECURITY;

CREATE FUNCTION log_waits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO log_pending (district_id, entry_id) VALUES (NEW.district_id, NEW.id);
  RETURN NULL;
END $$;
CREATE TRIGGER log_waits AFTER INSERT ON log_entry FOR EACH ROW EXECUTE FUNCTION log_waits();

-- For every role, the owner's and a superuser's too, in any mode of replication; TRUNCATE passes a row's trigger by.
CREATE FUNCTION log_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the log is only added to' USING ERRCODE = 'LG003';
END $$;
CREATE TRIGGER log_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON log_entry FOR EACH STATEMENT EXECUTE FUNCTION log_stays();
CREATE TRIGGER log_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON log_link FOR EACH STATEMENT EXECUTE FUNCTION log_stays();
ALTER TABLE log_entry ENABLE ALWAYS TRIGGER log_stays;
ALTER TABLE log_entry ENABLE ALWAYS TRIGGER log_waits;
ALTER TABLE log_link ENABLE ALWAYS TRIGGER log_stays;

DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['log_link', 'log_pending'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant ON %I USING (district_id = current_district()) WITH CHECK (district_id = current_district())', name);
  END LOOP;
END $$;

-- Districts with something to seal; each is entered to be asked, and none is entered afterwards.
CREATE FUNCTION log_waiting() RETURNS SETOF uuid LANGUAGE plpgsql VOLATILE
AS $$
DECLARE one uuid;
BEGIN
  FOR one IN SELECT district_ids() LOOP
    PERFORM set_config('app.district', one::text, true);
    IF EXISTS (SELECT FROM log_pending) THEN
      RETURN NEXT one;
    END IF;
  END LOOP;
  PERFORM set_config('app.district', '', true);
END $$;

GRANT SELECT, INSERT ON log_link TO {role};
GRANT SELECT, INSERT, DELETE ON log_pending TO {role};
REVOKE ALL ON FUNCTION log_waiting() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION log_waiting() TO {role};
