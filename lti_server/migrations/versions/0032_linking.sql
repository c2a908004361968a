-- One person, many doors (design law 6): intents to link, and merges that can be undone. {role} is the application role
-- of this database.

-- Somebody who was found to be one with another: their rows are the other's. The key stays, for the log's words are
-- under it, until the other is erased.
ALTER TABLE person ADD COLUMN merged_into uuid REFERENCES person (id)
  CONSTRAINT ck_person_merged_into CHECK (merged_into <> id);
CREATE INDEX ix_person_merged_into ON person (merged_into) WHERE merged_into IS NOT NULL;

-- Nothing new is written of whoever is another's: whoever merges locks both, and whoever writes waits for that.
CREATE OR REPLACE FUNCTION person_must_stand() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.person_id IS NULL THEN
    RETURN NEW;
  END IF;
  PERFORM FROM person WHERE id = NEW.person_id AND key_destroyed_at IS NULL AND merged_into IS NULL FOR KEY SHARE;
  IF NOT FOUND THEN
    IF EXISTS (SELECT FROM person WHERE id = NEW.person_id AND key_destroyed_at IS NULL) THEN
      RAISE EXCEPTION 'the person is one with another' USING ERRCODE = 'LG005';
    END IF;
    RAISE EXCEPTION 'the person was erased' USING ERRCODE = 'LG004';
  END IF;
  RETURN NEW;
END $$;

-- What somebody who is signed in wants to link to themself. It is used once, within minutes, from the browser and the
-- session that it was made in.
CREATE TABLE link_intent (
  id uuid CONSTRAINT pk_link_intent PRIMARY KEY,
  district_id uuid NOT NULL REFERENCES district (id),
  intent_hash bytea NOT NULL CONSTRAINT uq_link_intent_intent_hash UNIQUE,
  person_id uuid NOT NULL REFERENCES person (id),
  -- Sessions are taken away, so this points at none for good.
  session_id uuid NOT NULL,
  provider text NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  used_at timestamptz,
  -- Who else was proven to be the same, where that is somebody who is known here already: to be confirmed by then.
  found_person_id uuid REFERENCES person (id),
  confirm_until timestamptz,
  settled_at timestamptz,
  CONSTRAINT ck_link_intent_found CHECK ((found_person_id IS NULL) = (confirm_until IS NULL))
);
CREATE INDEX ix_link_intent_person_id ON link_intent (person_id);
CREATE INDEX ix_link_intent_session_id ON link_intent (session_id);
CREATE INDEX ix_link_intent_expires_at ON link_intent (expires_at);

-- What a merge moved, by ids; `sealed` is what it had to decide between, under the key of whoever was merged. Both are
-- wiped when the time for undoing is over.
CREATE TABLE merge_ledger (
  id uuid CONSTRAINT pk_merge_ledger PRIMARY KEY,
  district_id uuid NOT NULL REFERENCES district (id),
  from_person_id uuid NOT NULL REFERENCES person (id),
  to_person_id uuid NOT NULL REFERENCES person (id),
  way text NOT NULL CONSTRAINT ck_merge_ledger_way CHECK (way IN ('proof', 'administrator', 'shared_id')),
  made_by text NOT NULL,
  made_at timestamptz NOT NULL,
  undo_until timestamptz NOT NULL,
  moved jsonb,
  sealed bytea,
  undone_by text,
  undone_at timestamptz,
  CONSTRAINT ck_merge_ledger_two CHECK (from_person_id <> to_person_id),
  CONSTRAINT ck_merge_ledger_undone CHECK ((undone_by IS NULL) = (undone_at IS NULL))
);
CREATE UNIQUE INDEX merge_ledger_merges_once ON merge_ledger (from_person_id) WHERE undone_at IS NULL;
CREATE INDEX ix_merge_ledger_to_person_id ON merge_ledger (to_person_id);
CREATE INDEX ix_merge_ledger_district_id_made_at ON merge_ledger (district_id, made_at);

DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['link_intent', 'merge_ledger'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant ON %I USING (district_id = current_district()) WITH CHECK (district_id = current_district())', name);
  END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE, DELETE ON link_intent TO {role};
GRANT SELECT, INSERT ON merge_ledger TO {role};
GRANT UPDATE (moved, sealed, undone_by, undone_at) ON merge_ledger TO {role};
-- A merge moves what protects somebody along with the rest.
GRANT UPDATE (person_id) ON disclosure_restriction, block TO {role};
GRANT UPDATE (person_id, sealed) ON own_request TO {role};
