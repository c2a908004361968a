-- Whoever came as staff has promised confidence (A-47): which words, by their hash and language, when, and until when
-- it holds. A promise is evidence: it is added, and neither changed nor taken away. {role} is the application role.

CREATE TABLE confidence_promise (
  id uuid CONSTRAINT pk_confidence_promise PRIMARY KEY,
  -- An operator's has none, as the invitation has none.
  district_id uuid REFERENCES district (id),
  session_id uuid NOT NULL,
  invitation_id uuid NOT NULL,
  role text NOT NULL,
  text_hash bytea NOT NULL CONSTRAINT ck_confidence_promise_text_hash CHECK (octet_length(text_hash) = 32),
  locale text NOT NULL,
  promised_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  CONSTRAINT ck_confidence_promise_runs_out CHECK (expires_at <= promised_at + interval '12 hours')
);
CREATE INDEX ix_confidence_promise_session_id ON confidence_promise (session_id);
CREATE INDEX ix_confidence_promise_district_id ON confidence_promise (district_id);
ALTER TABLE confidence_promise ENABLE ROW LEVEL SECURITY;
ALTER TABLE confidence_promise FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON confidence_promise
  USING (district_id IS NOT DISTINCT FROM current_district())
  WITH CHECK (district_id IS NOT DISTINCT FROM current_district());
GRANT SELECT, INSERT ON confidence_promise TO {role};
