-- What platforms tell of their own accord (Platform Notification Service 1.0).

-- A notice that was taken, once: the unique key is what makes three deliveries one effect.
-- `said` is what its type is about (ids of courses); nothing about a person is kept of any notice.
CREATE TABLE notice (
  id uuid CONSTRAINT pk_notice PRIMARY KEY,
  district_id uuid NOT NULL REFERENCES district (id),
  registration_id uuid NOT NULL REFERENCES registration (id),
  deployment_row_id uuid NOT NULL REFERENCES deployment (id),
  notice_id text NOT NULL,
  notice_type text NOT NULL,
  said jsonb NOT NULL,
  received_at timestamptz NOT NULL,
  handled_at timestamptz,
  expires_at timestamptz NOT NULL,
  CONSTRAINT uq_notice_registration_id_notice_id UNIQUE (registration_id, notice_id)
);
CREATE INDEX ix_notice_deployment_row_id_received_at ON notice (deployment_row_id, received_at);
CREATE INDEX ix_notice_expires_at ON notice (expires_at);

-- Where a deployment's notices were asked for: from a signed claim alone, never from a browser.
-- `asked_as` is the key that asked, and the platform's token address: where one of them changes, it is asked again.
CREATE TABLE notice_handler (
  deployment_row_id uuid CONSTRAINT pk_notice_handler PRIMARY KEY REFERENCES deployment (id),
  district_id uuid NOT NULL REFERENCES district (id),
  service_url text NOT NULL,
  notice_types text[] NOT NULL,
  handler text NOT NULL,
  state text NOT NULL CONSTRAINT ck_notice_handler_state CHECK (state IN ('wanted', 'registered', 'failed')),
  reason text,
  asked_as text,
  settled_at timestamptz
);

DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['notice', 'notice_handler'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant ON %I USING (district_id = current_district()) WITH CHECK (district_id = current_district())', name);
  END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE, DELETE ON notice, notice_handler TO {role};
