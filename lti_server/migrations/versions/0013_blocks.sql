-- A block on collecting anything of somebody, whichever door they come by. {role} is the application role of this database.
CREATE TABLE block (
  id uuid CONSTRAINT pk_block PRIMARY KEY,
  district_id uuid NOT NULL REFERENCES district (id),
  -- Of which provider alone; empty for every.
  provider text NOT NULL,
  -- Whose, where the id was known when it was blocked.
  person_id uuid REFERENCES person (id),
  made_by text NOT NULL,
  made_at timestamptz NOT NULL,
  lifted_by text,
  lifted_at timestamptz
);
CREATE INDEX ix_block_district_id ON block (district_id);
CREATE INDEX ix_block_person_id ON block (person_id);

-- Every id and e-mail by which a blocked person may come, as keyed hashes; none is left once the block is lifted.
CREATE TABLE block_alias (
  district_id uuid NOT NULL REFERENCES district (id),
  hash bytea NOT NULL,
  block_id uuid NOT NULL REFERENCES block (id),
  provider text NOT NULL,
  CONSTRAINT pk_block_alias PRIMARY KEY (district_id, hash, block_id)
);
CREATE INDEX ix_block_alias_block_id ON block_alias (block_id);

DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['block', 'block_alias'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant ON %I USING (district_id = current_district()) WITH CHECK (district_id = current_district())', name);
  END LOOP;
END $$;
GRANT SELECT, INSERT ON block TO {role};
GRANT UPDATE (lifted_by, lifted_at) ON block TO {role};
GRANT SELECT, INSERT, DELETE ON block_alias TO {role};
