-- Providers that people sign in with. {role} is the application role of this database.
-- An application at a provider is the operator's: it is of no district, and its configuration is wrapped by the secret.
CREATE TABLE provider_application (
  provider text CONSTRAINT pk_provider_application PRIMARY KEY,
  wrapped bytea NOT NULL,
  connected_at timestamptz NOT NULL,
  connected_by text NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON provider_application TO {role};

-- A district's connection to a provider: its configuration under the district's key, wiped with the grant.
CREATE TABLE provider_connection (
  id uuid CONSTRAINT pk_provider_connection PRIMARY KEY,
  district_id uuid NOT NULL REFERENCES district (id),
  grant_id uuid NOT NULL REFERENCES grants (id),
  provider text NOT NULL,
  -- Of a provider with tenants: its identities are of this one alone.
  tenant text,
  sealed bytea,
  connected_at timestamptz NOT NULL,
  connected_by text NOT NULL,
  ended_at timestamptz,
  CONSTRAINT uq_provider_connection_grant_id UNIQUE (grant_id),
  CONSTRAINT ck_provider_connection_ended CHECK ((ended_at IS NULL) = (sealed IS NOT NULL))
);
CREATE INDEX ix_provider_connection_district_id_provider ON provider_connection (district_id, provider);
ALTER TABLE provider_connection ENABLE ROW LEVEL SECURITY;
ALTER TABLE provider_connection FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON provider_connection USING (district_id = current_district()) WITH CHECK (district_id = current_district());
GRANT SELECT, INSERT, UPDATE, DELETE ON provider_connection TO {role};

-- Of somebody who signed in: by which identity, and when they were last here.
ALTER TABLE session ADD COLUMN identity_id uuid REFERENCES identity (id);
ALTER TABLE session ADD COLUMN last_seen_at timestamptz;
CREATE INDEX ix_session_identity_id ON session (identity_id) WHERE identity_id IS NOT NULL;
