-- Steps of a launch that are one way to the server each. They run with the caller's rights, inside its tenant:
-- a function's statements are each executed on their own, so that row-level security sees the tenant that was entered.

-- What a deployment stands on: platform, grant, keys of the tenant, key set, and the newest contract that has begun.
CREATE FUNCTION launch_standing(deployment uuid, moment timestamptz) RETURNS TABLE (
  registration_id uuid, issuer text, client_id text, jwks_url text, deployment_row_id uuid,
  grant_id uuid, grant_state text, epoch integer, key_version integer, jwks text, fetched_at timestamptz,
  district_id uuid, data_key bytea, pepper bytea, locale text, contract_id uuid, valid_to date, today date,
  anonymous boolean)
LANGUAGE plpgsql STABLE
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT r.id, r.issuer, r.client_id, r.jwks_url, d.id, g.id, g.state, g.epoch, k.version, k.jwks::text, k.fetched_at,
    s.id, s.data_key, s.pepper, s.locale, c.id, c.valid_to, (moment AT TIME ZONE s.timezone)::date,
    d.anonymous
  FROM deployment d
  JOIN registration r ON r.id = d.registration_id AND r.removed_at IS NULL
  JOIN grants g ON g.id = r.grant_id
  JOIN district s ON s.id = d.district_id
  JOIN platform_keys k ON k.registration_id = r.id
  LEFT JOIN LATERAL (
    SELECT id, valid_to FROM contract
    WHERE valid_from <= (moment AT TIME ZONE s.timezone)::date
    ORDER BY version DESC LIMIT 1) c ON true
  WHERE d.id = deployment;
END $$;

-- The ticket is spent by the one UPDATE that finds it unspent; the token and its doors come with it.
CREATE FUNCTION spend_ticket(
  wanted uuid, moment timestamptz, lesson text, cookie bytea, token bytea, token_until timestamptz) RETURNS TABLE (
  id uuid, district_id uuid, person_id uuid, role text, grant_id uuid, grant_epoch integer, membership_id uuid,
  resource_link_id uuid, lesson_id text, activity_id text, locale text, expires_at timestamptz)
LANGUAGE plpgsql VOLATILE
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  WITH spent AS (
    UPDATE session s SET ticket_used_at = moment, cookie_hash = cookie FROM grants g
    WHERE s.id = wanted AND g.id = s.grant_id AND s.ticket_used_at IS NULL AND s.ticket_expires_at > moment
      AND s.lesson_id = coalesce(lesson, s.lesson_id)
      AND s.ended_at IS NULL AND s.expires_at > moment AND g.state = 'active' AND g.epoch = s.grant_epoch
    RETURNING s.id, s.district_id, s.person_id, s.role, s.grant_id, s.grant_epoch, s.membership_id,
      s.resource_link_id, s.lesson_id, s.activity_id, s.locale, s.expires_at),
  issued AS (
    INSERT INTO lesson_token (token_hash, district_id, session_id, expires_at)
    SELECT token, district_id, id, least(expires_at, token_until) FROM spent),
  doors AS (
    INSERT INTO directory (kind, key_hash, district_id, target_id, expires_at)
    SELECT 'token', token, district_id, id, least(expires_at, token_until) FROM spent
    UNION ALL SELECT 'session', cookie, district_id, id, expires_at FROM spent)
  SELECT * FROM spent;
END $$;
