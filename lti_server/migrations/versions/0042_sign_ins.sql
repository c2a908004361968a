-- A sign-in reads what it stands on by functions that enter the tenant themselves: each is one way to the server.

-- Enter a tenant by one of its doors, and read the connections for signing in that are behind it, with the tenant's row
-- and the operator's application: those of a district to one provider, oldest first; or the one whose door it is.
CREATE FUNCTION connections_read(of_kind text, door bytea, of_provider text) RETURNS TABLE (
  id uuid, grant_id uuid, provider text, tenant text, sealed bytea, grant_state text, application bytea,
  district_id uuid, slug text, name text, timezone text, country text, locale text, data_key bytea, pepper bytea)
LANGUAGE plpgsql VOLATILE
AS $$
#variable_conflict use_column
DECLARE
  target uuid;
BEGIN
  SELECT target_id INTO target FROM directory_enter(of_kind, door);
  IF target IS NULL THEN
    RETURN;
  END IF;
  RETURN QUERY
  SELECT c.id, c.grant_id, c.provider, c.tenant, c.sealed, g.state,
    (SELECT a.wrapped FROM provider_application a WHERE a.provider = c.provider),
    d.id, d.slug, d.name, d.timezone, d.country, d.locale, d.data_key, d.pepper
  FROM provider_connection c JOIN grants g ON g.id = c.grant_id JOIN district d ON d.id = c.district_id
  WHERE c.ended_at IS NULL AND g.state IN ('active', 'suspended') AND 'signin' = ANY (g.uses)
    AND (c.id = target OR of_kind = 'district' AND c.provider = of_provider)
  ORDER BY c.connected_at, c.id;
END $$;

-- Enter the tenant of a session of somebody who signed in, and read it if all that it stands on does.
CREATE FUNCTION person_session_read(cookie bytea, moment timestamptz, idle_since timestamptz) RETURNS TABLE (
  id uuid, district_id uuid, person_id uuid, identity_id uuid, grant_id uuid, grant_epoch integer, role text,
  locale text, created_at timestamptz, expires_at timestamptz, last_seen_at timestamptz, provider text)
LANGUAGE plpgsql VOLATILE
AS $$
#variable_conflict use_column
BEGIN
  PERFORM FROM directory_enter('session', cookie);
  IF NOT FOUND THEN
    RETURN;
  END IF;
  RETURN QUERY
  SELECT s.id, s.district_id, s.person_id, s.identity_id, s.grant_id, s.grant_epoch, s.role, s.locale, s.created_at,
    s.expires_at, s.last_seen_at, i.provider
  FROM session s JOIN grants g ON g.id = s.grant_id JOIN identity i ON i.id = s.identity_id
  JOIN person p ON p.id = s.person_id
  WHERE s.cookie_hash = cookie AND s.ended_at IS NULL AND s.expires_at > moment AND s.last_seen_at > idle_since
    AND g.state = 'active' AND g.epoch = s.grant_epoch AND 'signin' = ANY (g.uses)
    AND s.lesson_id IS NULL AND i.ended_at IS NULL AND p.wrapped_key IS NOT NULL;
END $$;

-- Enter a tenant; whether somebody is a pupil of whom nobody says an age, and the contract in force there now.
CREATE FUNCTION silent_pupil(of_district uuid, who uuid, moment timestamptz) RETURNS TABLE (
  silent boolean, contract_id uuid)
LANGUAGE plpgsql VOLATILE
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.district', of_district::text, true);
  RETURN QUERY
  SELECT
    EXISTS (SELECT FROM person p WHERE p.id = who AND p.kind = 'pupil' AND p.wrapped_key IS NOT NULL)
      AND NOT EXISTS (
        WITH RECURSIVE one AS (
          SELECT p.id FROM person p WHERE p.id = who
          UNION ALL SELECT p.id FROM person p JOIN one ON p.merged_into = one.id)
        SELECT FROM person_age a JOIN one ON one.id = a.person_id)
      AND NOT EXISTS (SELECT FROM correction c WHERE c.person_id = who AND c.field = 'age')
      AND NOT EXISTS (SELECT FROM membership m JOIN section s ON s.id = m.section_id
        LEFT JOIN section c ON c.id = s.course_section_id
        JOIN age_statement t ON t.school = coalesce(s.school, c.school)
        WHERE m.person_id = who AND m.ended_at IS NULL),
    c.id
  FROM district d
  LEFT JOIN LATERAL (
    SELECT id, valid_to FROM contract
    WHERE valid_from <= (moment AT TIME ZONE d.timezone)::date
    ORDER BY version DESC LIMIT 1) c ON c.valid_to >= (moment AT TIME ZONE d.timezone)::date;
END $$;

-- Enter a tenant; what it is called, and the classes that somebody is in now.
CREATE FUNCTION classes_read(of_district uuid, who uuid) RETURNS TABLE (district text, name text, role text)
LANGUAGE plpgsql VOLATILE
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('app.district', of_district::text, true);
  RETURN QUERY
  SELECT d.name, c.name, c.role
  FROM district d
  LEFT JOIN (
    SELECT s.id, s.name, m.role FROM membership m JOIN section s ON s.id = m.section_id
    JOIN grants g ON g.id = m.grant_id
    WHERE m.person_id = who AND m.ended_at IS NULL AND g.state = 'active' AND s.archived_at IS NULL) c ON true
  ORDER BY c.name, c.id;
END $$;
