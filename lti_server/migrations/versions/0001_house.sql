-- The house: tenants, keys, contracts, people, sections, lessons, progress, LTI.
-- Every table about a district carries district_id and is under row-level security (added at the end).

CREATE FUNCTION current_district() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT NULLIF(current_setting('app.district', true), '')::uuid $$;

-- Keys of the installation, wrapped by a key-encryption key from SECRET_KEYS.
CREATE TABLE instance_key (
  purpose text CONSTRAINT pk_instance_key PRIMARY KEY,
  wrapped bytea NOT NULL,
  created_at timestamptz NOT NULL
);

-- Finds the tenant before row-level security knows it: keyed hashes only, nothing about a person.
-- The application role may add rows; it reads through the SECURITY DEFINER functions alone.
CREATE TABLE directory (
  kind text NOT NULL,
  key_hash bytea NOT NULL,
  district_id uuid NOT NULL,
  target_id uuid NOT NULL,
  expires_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT pk_directory PRIMARY KEY (kind, key_hash, district_id, target_id)
);
-- A client or an issuer may serve several districts (Canvas, Blackboard); everything else opens one row.
CREATE UNIQUE INDEX directory_opens_one ON directory (kind, key_hash) WHERE kind NOT IN ('client', 'issuer');
CREATE INDEX ix_directory_target_id ON directory (target_id);
CREATE INDEX ix_directory_expires_at ON directory (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE district (
  id uuid CONSTRAINT pk_district PRIMARY KEY,
  slug text NOT NULL,
  name text NOT NULL,
  timezone text NOT NULL,
  country text NOT NULL,
  locale text NOT NULL,
  data_key bytea NOT NULL,
  pepper bytea NOT NULL,
  created_at timestamptz NOT NULL,
  CONSTRAINT uq_district_slug UNIQUE (slug)
);

CREATE TABLE contract (
  id uuid CONSTRAINT pk_contract PRIMARY KEY,
  district_id uuid NOT NULL REFERENCES district (id),
  version integer NOT NULL,
  family text NOT NULL,
  document text NOT NULL,
  policy_hash text NOT NULL,
  valid_from date NOT NULL,
  valid_to date NOT NULL,
  signed_at timestamptz NOT NULL,
  signed_by text NOT NULL,
  CONSTRAINT uq_contract_district_id_version UNIQUE (district_id, version)
);

CREATE TABLE grants (
  id uuid CONSTRAINT pk_grants PRIMARY KEY,
  district_id uuid NOT NULL REFERENCES district (id),
  provider text NOT NULL,
  state text NOT NULL CONSTRAINT ck_grants_state CHECK
    (state IN ('draft', 'awaiting_contract', 'pending', 'active', 'suspended', 'revoking', 'revoked', 'disposing', 'disposed', 'expired')),
  epoch integer NOT NULL DEFAULT 1 CONSTRAINT ck_grants_epoch CHECK (epoch >= 1),
  created_at timestamptz NOT NULL,
  ended_at timestamptz
);
CREATE INDEX ix_grants_district_id ON grants (district_id);

-- Append-only for the application role (INSERT and SELECT alone). The payload is sealed; the leaf hash is over ciphertext.
CREATE TABLE log_entry (
  id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_log_entry PRIMARY KEY,
  district_id uuid NOT NULL,
  at timestamptz NOT NULL,
  actor text NOT NULL,
  act text NOT NULL,
  decision text NOT NULL CONSTRAINT ck_log_entry_decision CHECK (decision IN ('allowed', 'refused')),
  purpose text NOT NULL,
  object_id uuid,
  elements text[] NOT NULL,
  payload bytea NOT NULL,
  leaf_hash bytea NOT NULL
);
CREATE INDEX ix_log_entry_district_id_at ON log_entry (district_id, at);

CREATE TABLE person (
  id uuid CONSTRAINT pk_person PRIMARY KEY,
  district_id uuid NOT NULL REFERENCES district (id),
  kind text NOT NULL CONSTRAINT ck_person_kind CHECK (kind IN ('pupil', 'staff')),
  wrapped_key bytea,
  key_destroyed_at timestamptz,
  created_at timestamptz NOT NULL,
  -- A destroyed key leaves a tombstone, so that it is never minted again.
  CONSTRAINT ck_person_key_or_tombstone CHECK ((wrapped_key IS NULL) = (key_destroyed_at IS NOT NULL))
);
CREATE INDEX ix_person_district_id ON person (district_id);

-- One row a person, field and grant: provenance of every field (law 11). Ciphertext under the person's key.
CREATE TABLE person_field (
  district_id uuid NOT NULL,
  person_id uuid NOT NULL REFERENCES person (id),
  field text NOT NULL,
  grant_id uuid NOT NULL REFERENCES grants (id),
  ciphertext bytea,
  -- HMAC under the district's pepper, bound to this row: says "unchanged" without decrypting.
  fingerprint bytea NOT NULL,
  -- HMAC under the pepper, bound to the field alone: finds an equal value in this district (e-mail, shared id).
  lookup bytea,
  run_id uuid,
  epoch integer NOT NULL,
  collected_at timestamptz NOT NULL,
  CONSTRAINT pk_person_field PRIMARY KEY (person_id, field, grant_id)
);
CREATE INDEX ix_person_field_lookup ON person_field (district_id, field, lookup) WHERE lookup IS NOT NULL;

-- Who somebody is at an issuer. subject_hash always; the subject itself only where the contract keeps app_assigned_id.
CREATE TABLE identity (
  id uuid CONSTRAINT pk_identity PRIMARY KEY,
  district_id uuid NOT NULL REFERENCES district (id),
  person_id uuid NOT NULL REFERENCES person (id),
  grant_id uuid NOT NULL REFERENCES grants (id),
  provider text NOT NULL,
  issuer text NOT NULL,
  client_id text NOT NULL,
  subject_hash bytea NOT NULL,
  subject bytea,
  created_at timestamptz NOT NULL,
  ended_at timestamptz
);
-- Uniqueness holds among live identities alone: an ended one may be followed by another.
CREATE UNIQUE INDEX identity_is_one_person ON identity (district_id, issuer, client_id, subject_hash) WHERE ended_at IS NULL;
CREATE INDEX ix_identity_person_id ON identity (person_id);

CREATE TABLE invitation (
  id uuid CONSTRAINT pk_invitation PRIMARY KEY,
  district_id uuid,
  role text NOT NULL,
  token_hash bytea NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  used_at timestamptz,
  CONSTRAINT uq_invitation_token_hash UNIQUE (token_hash)
);

CREATE TABLE section (
  id uuid CONSTRAINT pk_section PRIMARY KEY,
  district_id uuid NOT NULL REFERENCES district (id),
  grant_id uuid NOT NULL REFERENCES grants (id),
  provider text NOT NULL,
  -- The deployment or tenant within which source_id is unique (LTI: context.id is unique per deployment).
  source_scope text NOT NULL,
  source_id text NOT NULL,
  name text NOT NULL,
  school text,
  memberships_url text,
  created_at timestamptz NOT NULL,
  archived_at timestamptz,
  CONSTRAINT uq_section_grant_id_source_scope_source_id UNIQUE (grant_id, source_scope, source_id)
);
CREATE INDEX ix_section_district_id ON section (district_id);

CREATE TABLE roster_run (
  id uuid CONSTRAINT pk_roster_run PRIMARY KEY,
  district_id uuid NOT NULL REFERENCES district (id),
  grant_id uuid NOT NULL REFERENCES grants (id),
  provider text NOT NULL,
  state text NOT NULL CONSTRAINT ck_roster_run_state CHECK (state IN ('running', 'planned', 'applied', 'held', 'failed')),
  counts jsonb NOT NULL,
  holds jsonb NOT NULL,
  refused_fields jsonb NOT NULL,
  detail text,
  started_at timestamptz NOT NULL,
  finished_at timestamptz
);
CREATE INDEX ix_roster_run_district_id_started_at ON roster_run (district_id, started_at);

CREATE TABLE membership (
  id uuid CONSTRAINT pk_membership PRIMARY KEY,
  district_id uuid NOT NULL REFERENCES district (id),
  section_id uuid NOT NULL REFERENCES section (id),
  person_id uuid NOT NULL REFERENCES person (id),
  role text NOT NULL CONSTRAINT ck_membership_role CHECK (role IN ('pupil', 'teacher', 'observer')),
  -- Provenance (law 11): how it was learnt, by which grant and run, and at which epoch of the grant.
  source text NOT NULL CONSTRAINT ck_membership_source CHECK (source IN ('launch', 'roster')),
  grant_id uuid NOT NULL REFERENCES grants (id),
  run_id uuid REFERENCES roster_run (id),
  epoch integer NOT NULL,
  started_at timestamptz NOT NULL,
  ended_at timestamptz,
  ended_by_run_id uuid REFERENCES roster_run (id)
);
-- One live membership a person and section; ended ones stay as history.
CREATE UNIQUE INDEX membership_is_live_once ON membership (section_id, person_id) WHERE ended_at IS NULL;
CREATE INDEX ix_membership_person_id ON membership (person_id);

-- Lessons belong to the operator: no tenant, no personal data.
CREATE TABLE lesson (
  id text CONSTRAINT pk_lesson PRIMARY KEY,
  definition jsonb NOT NULL,
  added_at timestamptz NOT NULL
);

CREATE TABLE registration (
  id uuid CONSTRAINT pk_registration PRIMARY KEY,
  district_id uuid NOT NULL REFERENCES district (id),
  grant_id uuid NOT NULL REFERENCES grants (id),
  issuer text NOT NULL,
  client_id text NOT NULL,
  auth_login_url text NOT NULL,
  auth_token_url text NOT NULL,
  jwks_url text NOT NULL,
  token_audience text,
  shared_id boolean NOT NULL,
  created_at timestamptz NOT NULL,
  removed_at timestamptz
);
CREATE UNIQUE INDEX registration_is_live_once ON registration (district_id, issuer, client_id) WHERE removed_at IS NULL;

-- A link by which an LMS registers itself, once. `claim` is the attempt that talks to the LMS now, so that two attempts
-- make one registration; it ends by itself, should the process die.
CREATE TABLE platform_invitation (
  id uuid CONSTRAINT pk_platform_invitation PRIMARY KEY,
  district_id uuid NOT NULL REFERENCES district (id),
  token_hash bytea NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  claim uuid,
  claimed_until timestamptz,
  used_at timestamptz,
  registration_id uuid REFERENCES registration (id),
  CONSTRAINT uq_platform_invitation_token_hash UNIQUE (token_hash)
);

CREATE TABLE deployment (
  id uuid CONSTRAINT pk_deployment PRIMARY KEY,
  district_id uuid NOT NULL REFERENCES district (id),
  registration_id uuid NOT NULL REFERENCES registration (id),
  deployment_id text NOT NULL,
  -- Whether somebody whom the LMS does not name may play; nothing is kept of such a launch.
  anonymous boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL,
  CONSTRAINT uq_deployment_registration_id_deployment_id UNIQUE (registration_id, deployment_id)
);

-- The platform's public keys: one set, one version and one refetch clock for all workers (design 6.7).
CREATE TABLE platform_keys (
  registration_id uuid CONSTRAINT pk_platform_keys PRIMARY KEY REFERENCES registration (id),
  district_id uuid NOT NULL REFERENCES district (id),
  version integer NOT NULL,
  jwks jsonb NOT NULL,
  fetched_at timestamptz,
  unknown_kid_fetch_at timestamptz,
  failures integer NOT NULL,
  retry_at timestamptz
);

-- A nonce is spent by the one INSERT that finds it absent.
CREATE TABLE spent_nonce (
  district_id uuid NOT NULL,
  nonce_hash bytea NOT NULL,
  expires_at timestamptz NOT NULL,
  CONSTRAINT pk_spent_nonce PRIMARY KEY (district_id, nonce_hash)
);
CREATE INDEX ix_spent_nonce_expires_at ON spent_nonce (expires_at);

-- Bearer tokens that a platform gave us, sealed; keyed by registration and scopes (never by issuer alone).
CREATE TABLE service_token (
  registration_id uuid NOT NULL REFERENCES registration (id),
  district_id uuid NOT NULL REFERENCES district (id),
  scopes text NOT NULL,
  sealed bytea NOT NULL,
  epoch integer NOT NULL,
  expires_at timestamptz NOT NULL,
  CONSTRAINT pk_service_token PRIMARY KEY (registration_id, scopes)
);

-- The keys with which this tool signs; the private half is wrapped.
CREATE TABLE tool_key (
  kid text CONSTRAINT pk_tool_key PRIMARY KEY,
  public_jwk jsonb NOT NULL,
  wrapped_private bytea NOT NULL,
  created_at timestamptz NOT NULL,
  signs_from timestamptz NOT NULL,
  retired_at timestamptz
);

-- A picker that was opened from a course. What the LMS asked for stays here, sealed; the browser holds a token alone.
CREATE TABLE deep_link_request (
  id uuid CONSTRAINT pk_deep_link_request PRIMARY KEY,
  district_id uuid NOT NULL REFERENCES district (id),
  deployment_row_id uuid NOT NULL REFERENCES deployment (id),
  grant_id uuid NOT NULL REFERENCES grants (id),
  grant_epoch integer NOT NULL,
  settings bytea NOT NULL,
  locale text NOT NULL,
  created_at timestamptz NOT NULL,
  choose_until timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  answered_at timestamptz
);
CREATE INDEX ix_deep_link_request_expires_at ON deep_link_request (expires_at);

-- What a picker sent to a course: a link that names it opens exactly this, whatever became of its other parameters.
CREATE TABLE deep_link_item (
  id uuid CONSTRAINT pk_deep_link_item PRIMARY KEY,
  district_id uuid NOT NULL REFERENCES district (id),
  grant_id uuid NOT NULL REFERENCES grants (id),
  lesson_id text NOT NULL,
  activity_id text NOT NULL DEFAULT '',
  kind text NOT NULL,
  created_at timestamptz NOT NULL
);

CREATE TABLE resource_link (
  id uuid CONSTRAINT pk_resource_link PRIMARY KEY,
  district_id uuid NOT NULL REFERENCES district (id),
  grant_id uuid NOT NULL REFERENCES grants (id),
  deployment_row_id uuid NOT NULL REFERENCES deployment (id),
  resource_link_id text NOT NULL,
  section_id uuid REFERENCES section (id),
  lesson_id text NOT NULL,
  activity_id text NOT NULL DEFAULT '',
  title text NOT NULL DEFAULT '',
  -- From signed claims alone, never from a browser.
  lineitems_url text,
  lineitem_url text,
  ags_scopes text[] NOT NULL DEFAULT '{}',
  deep_link_item_id uuid REFERENCES deep_link_item (id),
  created_at timestamptz NOT NULL,
  CONSTRAINT uq_resource_link_deployment_row_id_resource_link_id UNIQUE (deployment_row_id, resource_link_id)
);

CREATE TABLE session (
  id uuid CONSTRAINT pk_session PRIMARY KEY,
  district_id uuid,
  person_id uuid REFERENCES person (id),
  role text NOT NULL,
  grant_id uuid REFERENCES grants (id),
  grant_epoch integer,
  membership_id uuid REFERENCES membership (id),
  resource_link_id uuid REFERENCES resource_link (id),
  lesson_id text,
  activity_id text,
  locale text,
  -- A launch hands the session over by a ticket: one use, 60 s.
  ticket_hash bytea,
  ticket_expires_at timestamptz,
  ticket_used_at timestamptz,
  cookie_hash bytea,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  ended_at timestamptz,
  CONSTRAINT uq_session_ticket_hash UNIQUE (ticket_hash),
  CONSTRAINT uq_session_cookie_hash UNIQUE (cookie_hash)
);
CREATE INDEX ix_session_person_id ON session (person_id);
CREATE INDEX ix_session_expires_at ON session (expires_at);

CREATE TABLE lesson_token (
  token_hash bytea CONSTRAINT pk_lesson_token PRIMARY KEY,
  district_id uuid NOT NULL REFERENCES district (id),
  session_id uuid NOT NULL REFERENCES session (id) ON DELETE CASCADE,
  expires_at timestamptz NOT NULL
);
CREATE INDEX ix_lesson_token_session_id ON lesson_token (session_id);

CREATE TABLE progress_event (
  id uuid CONSTRAINT pk_progress_event PRIMARY KEY,
  district_id uuid NOT NULL REFERENCES district (id),
  person_id uuid NOT NULL REFERENCES person (id),
  attempt_id uuid NOT NULL,
  lesson_id text NOT NULL,
  activity_id text NOT NULL,
  membership_id uuid REFERENCES membership (id),
  grant_id uuid NOT NULL REFERENCES grants (id),
  epoch integer NOT NULL,
  score double precision NOT NULL CONSTRAINT ck_progress_event_score CHECK (score >= 0 AND score <= 1),
  completed boolean NOT NULL,
  optimal boolean,
  duration_s double precision,
  work bytea,
  answers bytea,
  occurred_at timestamptz NOT NULL,
  received_at timestamptz NOT NULL,
  -- The idempotency key is the pupil's own: two pupils may send the same uuid.
  CONSTRAINT uq_progress_event_person_id_attempt_id UNIQUE (person_id, attempt_id)
);
CREATE INDEX ix_progress_event_district_id_received_at ON progress_event (district_id, received_at);

CREATE TABLE progress_summary (
  person_id uuid NOT NULL REFERENCES person (id),
  lesson_id text NOT NULL,
  activity_id text NOT NULL,
  district_id uuid NOT NULL REFERENCES district (id),
  grant_id uuid NOT NULL REFERENCES grants (id),
  attempts integer NOT NULL,
  best_score double precision NOT NULL,
  completed boolean NOT NULL,
  optimal boolean NOT NULL,
  first_completed_at timestamptz,
  last_at timestamptz NOT NULL,
  CONSTRAINT pk_progress_summary PRIMARY KEY (person_id, lesson_id, activity_id)
);
CREATE INDEX ix_progress_summary_district_id ON progress_summary (district_id);

-- One gradebook column of a resource link; found or made once (the row is locked meanwhile).
CREATE TABLE grade_column (
  id uuid CONSTRAINT pk_grade_column PRIMARY KEY,
  district_id uuid NOT NULL REFERENCES district (id),
  resource_link_id uuid NOT NULL REFERENCES resource_link (id),
  activity_id text NOT NULL,
  line_item_url text,
  created_at timestamptz NOT NULL,
  CONSTRAINT uq_grade_column_resource_link_id_activity_id UNIQUE (resource_link_id, activity_id)
);

-- The outbox: at most one row a column and pupil, always the latest score.
CREATE TABLE grade_delivery (
  id uuid CONSTRAINT pk_grade_delivery PRIMARY KEY,
  district_id uuid NOT NULL REFERENCES district (id),
  column_id uuid NOT NULL REFERENCES grade_column (id),
  person_id uuid NOT NULL REFERENCES person (id),
  identity_id uuid NOT NULL REFERENCES identity (id),
  grant_id uuid NOT NULL REFERENCES grants (id),
  epoch integer NOT NULL,
  state text NOT NULL CONSTRAINT ck_grade_delivery_state CHECK (state IN ('queued', 'delivered', 'parked', 'stale')),
  score double precision NOT NULL,
  completed boolean NOT NULL,
  -- Whole seconds, strictly growing per column and person; fixed when queued, kept for every resend (design 6.7).
  score_at timestamptz NOT NULL,
  -- Whether this score_at may have reached the LMS: then the next score takes a later second.
  attempted boolean NOT NULL,
  attempts integer NOT NULL,
  reason text,
  queued_at timestamptz NOT NULL,
  settled_at timestamptz,
  CONSTRAINT uq_grade_delivery_column_id_person_id UNIQUE (column_id, person_id)
);
CREATE INDEX ix_grade_delivery_queued ON grade_delivery (district_id, score_at) WHERE state = 'queued';

-- Mail to send: address and text sealed; a job carries the id alone.
CREATE TABLE mail_message (
  id uuid CONSTRAINT pk_mail_message PRIMARY KEY,
  district_id uuid,
  sealed bytea,
  state text NOT NULL CONSTRAINT ck_mail_message_state CHECK (state IN ('queued', 'sent', 'failed')),
  queued_at timestamptz NOT NULL,
  settled_at timestamptz
);
