-- People who register themselves, and sign in by a code that their e-mail address is sent. {role} is the application
-- role of this database.

-- Whether people register themselves in a tenant that was made for that; a district has no row.
CREATE TABLE registration_desk (
  district_id uuid NOT NULL CONSTRAINT pk_registration_desk PRIMARY KEY REFERENCES district (id),
  opened_at timestamptz NOT NULL,
  opened_by text NOT NULL,
  closed_at timestamptz,
  closed_by text,
  CONSTRAINT ck_registration_desk_closed CHECK ((closed_at IS NULL) = (closed_by IS NULL))
);

-- A code, good once, for ten minutes, and in the browser that asked for it. Code, browser and address are keyed hashes;
-- `sealed` is what somebody has said of themself who is not here yet, of a child without the address.
CREATE TABLE email_code (
  id uuid NOT NULL CONSTRAINT pk_email_code PRIMARY KEY,
  district_id uuid NOT NULL REFERENCES district (id),
  way text NOT NULL CONSTRAINT ck_email_code_way CHECK (way IN ('register', 'sign_in', 'recover')),
  browser_hash bytea NOT NULL,
  address_hash bytea NOT NULL,
  code_hash bytea NOT NULL,
  sealed bytea,
  attempts integer NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL,
  open_until timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  used_at timestamptz
);
CREATE INDEX ix_email_code_browser_hash ON email_code (district_id, browser_hash, created_at);
CREATE INDEX ix_email_code_address_hash ON email_code (district_id, address_hash, created_at);
CREATE INDEX ix_email_code_expires_at ON email_code (expires_at);

DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['registration_desk', 'email_code'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant ON %I USING (district_id = current_district()) WITH CHECK (district_id = current_district())', name);
  END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE ON registration_desk TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON email_code TO {role};
