-- School systems that nobody has connected, and claims to them. {role} is the application role of this database.
-- Of no district, since none has connected them; on which days and how often, and nobody's name.
CREATE TABLE waiting_tenant (
  provider text NOT NULL,
  tenant text NOT NULL,
  first_seen_on date NOT NULL,
  last_seen_on date NOT NULL,
  times integer NOT NULL,
  CONSTRAINT pk_waiting_tenant PRIMARY KEY (provider, tenant)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON waiting_tenant TO {role};

-- A district's administrator shows by a sign-in that they administer a tenant: for ten minutes, in one session.
CREATE TABLE tenant_claim (
  id uuid CONSTRAINT pk_tenant_claim PRIMARY KEY,
  district_id uuid NOT NULL CONSTRAINT fk_tenant_claim_district_id_district REFERENCES district (id),
  session_id uuid NOT NULL,
  provider text NOT NULL,
  tenant text,
  -- Whoever signed in administers no tenant: this claim is over, and nothing is bound.
  refused boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  CONSTRAINT ck_tenant_claim_refused CHECK (NOT (refused AND tenant IS NOT NULL))
);
CREATE INDEX ix_tenant_claim_district_id ON tenant_claim (district_id);
ALTER TABLE tenant_claim ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant_claim FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON tenant_claim USING (district_id = current_district()) WITH CHECK (district_id = current_district());
GRANT SELECT, INSERT, UPDATE, DELETE ON tenant_claim TO {role};
