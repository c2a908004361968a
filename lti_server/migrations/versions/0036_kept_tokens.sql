-- Tokens of providers that can take one back. {role} is the application role of this database.
-- Under the person's key, until it is over, or its identity is: so that whoever disconnects a provider has it revoked.
ALTER TABLE identity ADD COLUMN sealed_token bytea;
ALTER TABLE identity ADD COLUMN token_expires_at timestamptz;
ALTER TABLE identity
  ADD CONSTRAINT ck_identity_token CHECK ((sealed_token IS NULL) = (token_expires_at IS NULL));
CREATE INDEX ix_identity_token_expires_at ON identity (token_expires_at) WHERE token_expires_at IS NOT NULL;

-- Whatever ends an identity, or gives it to another person, leaves no token.
CREATE FUNCTION identity_leaves_no_token() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.ended_at IS NOT NULL OR NEW.person_id <> OLD.person_id THEN
    NEW.sealed_token := NULL;
    NEW.token_expires_at := NULL;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER identity_leaves_no_token BEFORE UPDATE ON identity
  FOR EACH ROW EXECUTE FUNCTION identity_leaves_no_token();

-- A token is given back for a whole grant that was withdrawn, or for one person who has disconnected it.
ALTER TABLE upstream_revocation ALTER COLUMN revocation_id DROP NOT NULL;
ALTER TABLE upstream_revocation ADD COLUMN grant_id uuid REFERENCES grants (id);
ALTER TABLE upstream_revocation
  ADD CONSTRAINT ck_upstream_revocation_of_one CHECK ((revocation_id IS NULL) <> (grant_id IS NULL));
CREATE INDEX ix_upstream_revocation_grant_id ON upstream_revocation (grant_id) WHERE grant_id IS NOT NULL;
