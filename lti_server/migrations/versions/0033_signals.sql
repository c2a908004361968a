-- What providers say about one person. {role} is the application role of this database.
-- The provider's own name of a sign-in, as a keyed hash: it says which session ends with a logout there.
ALTER TABLE session ADD COLUMN provider_session_hash bytea;
CREATE INDEX ix_session_provider_session_hash ON session (provider_session_hash)
  WHERE provider_session_hash IS NOT NULL;

-- The provider has disabled the account: nobody comes in by it until the provider says otherwise.
ALTER TABLE identity ADD COLUMN held_at timestamptz;

-- What became of a signal. It names nobody of the provider's side, and a person by an id of ours until the erasure.
CREATE TABLE signal_receipt (
  id uuid CONSTRAINT pk_signal_receipt PRIMARY KEY,
  district_id uuid NOT NULL REFERENCES district (id),
  grant_id uuid NOT NULL REFERENCES grants (id),
  person_id uuid REFERENCES person (id),
  -- The case that a deletion has opened for the district (own_request); without a reference, for that row goes first.
  case_id uuid,
  provider text NOT NULL,
  kind text NOT NULL,
  outcome text NOT NULL,
  sessions integer NOT NULL,
  occurred_at timestamptz NOT NULL,
  received_at timestamptz NOT NULL,
  acted_at timestamptz NOT NULL,
  erased_at timestamptz,
  expires_at timestamptz NOT NULL
);
CREATE INDEX ix_signal_receipt_grant_id ON signal_receipt (grant_id);
CREATE INDEX ix_signal_receipt_person_id ON signal_receipt (person_id) WHERE person_id IS NOT NULL;
CREATE INDEX ix_signal_receipt_expires_at ON signal_receipt (expires_at);
ALTER TABLE signal_receipt ENABLE ROW LEVEL SECURITY;
ALTER TABLE signal_receipt FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON signal_receipt USING (district_id = current_district()) WITH CHECK (district_id = current_district());
GRANT SELECT, INSERT, UPDATE, DELETE ON signal_receipt TO {role};
