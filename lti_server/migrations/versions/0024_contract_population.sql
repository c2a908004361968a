-- Whom the contract in force lets a provider bring, as far as it does not let it bring everybody: what a grant reaches
-- is within this and within its own narrowing (0015_population.sql). {role} is the application role of this database.

CREATE TABLE contract_population (
  district_id uuid NOT NULL REFERENCES district (id),
  provider text NOT NULL,
  -- Each of `schools` and `sections` that is there must hold: lists of names, and of the provider's ids.
  population jsonb NOT NULL,
  CONSTRAINT pk_contract_population PRIMARY KEY (district_id, provider),
  CONSTRAINT ck_contract_population_population CHECK (jsonb_typeof(population) = 'object' AND population <> '{}')
);
ALTER TABLE contract_population ENABLE ROW LEVEL SECURITY;
ALTER TABLE contract_population FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON contract_population
  USING (district_id = current_district()) WITH CHECK (district_id = current_district());
GRANT SELECT, INSERT, UPDATE, DELETE ON contract_population TO {role};

-- Whether a class is within: what is missing, null or unknown of it is outside. A key that nobody knows lets in nobody.
CREATE FUNCTION population_has(wanted jsonb, source_ids text[], at_school text) RETURNS boolean LANGUAGE sql IMMUTABLE
AS $$ SELECT wanted - ARRAY['schools', 'sections'] = '{}'
  AND (NOT wanted ? 'schools' OR coalesce(jsonb_exists(wanted -> 'schools', at_school), false))
  AND (NOT wanted ? 'sections' OR coalesce(jsonb_exists_any(wanted -> 'sections', source_ids), false)) $$;

-- An id of a class says something of the provider's own alone. A section of a divided course is in its course, too.
CREATE FUNCTION population_has_section(wanted jsonb, of_provider text, in_section uuid) RETURNS boolean
LANGUAGE sql STABLE
AS $$ SELECT coalesce((
  SELECT population_has(wanted,
    CASE WHEN s.provider = of_provider THEN array_remove(ARRAY[s.source_id, c.source_id], NULL) ELSE '{}' END,
    coalesce(s.school, c.school))
  FROM section s LEFT JOIN section c ON c.id = s.course_section_id WHERE s.id = in_section), false) $$;

-- Somebody is where they are now: in a class, by whatever grant. Whose class is not known here is outside.
CREATE FUNCTION population_has_person(wanted jsonb, of_provider text, somebody uuid) RETURNS boolean
LANGUAGE sql STABLE
AS $$ SELECT EXISTS (SELECT FROM membership m WHERE m.person_id = somebody AND m.ended_at IS NULL
  AND population_has_section(wanted, of_provider, m.section_id)) $$;

CREATE FUNCTION contract_reaches(wanted uuid, in_section uuid) RETURNS boolean LANGUAGE sql STABLE
AS $$ SELECT coalesce((SELECT population_has_section(p.population, p.provider, in_section)
  FROM grants g JOIN contract_population p USING (district_id, provider) WHERE g.id = wanted), true) $$;

CREATE FUNCTION contract_reaches_person(wanted uuid, somebody uuid) RETURNS boolean LANGUAGE sql STABLE
AS $$ SELECT coalesce((SELECT population_has_person(p.population, p.provider, somebody)
  FROM grants g JOIN contract_population p USING (district_id, provider) WHERE g.id = wanted), true) $$;

CREATE OR REPLACE FUNCTION grant_reaches(wanted uuid, in_section uuid) RETURNS boolean LANGUAGE sql STABLE
AS $$ SELECT contract_reaches(wanted, in_section) AND (
  NOT EXISTS (SELECT FROM grants WHERE id = wanted AND narrowed) OR EXISTS (
    SELECT FROM section s JOIN grant_section p ON p.section_id IN (s.id, s.course_section_id)
    WHERE s.id = in_section AND p.grant_id = wanted)) $$;

CREATE OR REPLACE FUNCTION grant_must_reach() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE inside boolean;
DECLARE named jsonb;
BEGIN
  IF TG_TABLE_NAME = 'membership' THEN
    inside := grant_reaches(NEW.grant_id, NEW.section_id);
  ELSE
    -- A section that stands here already may be brought up to date; a new one only within a course that is reached.
    inside := NOT EXISTS (SELECT FROM grants WHERE id = NEW.grant_id AND narrowed)
      OR grant_reaches(NEW.grant_id, NEW.course_section_id)
      OR EXISTS (SELECT FROM section s WHERE s.grant_id = NEW.grant_id AND s.source_scope = NEW.source_scope
        AND s.source_id = NEW.source_id AND grant_reaches(NEW.grant_id, s.id));
    named := (SELECT p.population FROM grants g JOIN contract_population p USING (district_id, provider)
      WHERE g.id = NEW.grant_id);
    IF inside AND named IS NOT NULL THEN
      inside := population_has(named, ARRAY[NEW.source_id], NEW.school)
        OR population_has_section(named, NEW.provider, NEW.course_section_id)
        OR EXISTS (SELECT FROM section s WHERE s.grant_id = NEW.grant_id AND s.source_scope = NEW.source_scope
          AND s.source_id = NEW.source_id AND population_has_section(named, NEW.provider, s.id));
    END IF;
  END IF;
  IF NOT inside THEN
    RAISE EXCEPTION 'the grant does not reach this section' USING ERRCODE = 'LG001';
  END IF;
  RETURN NEW;
END $$;

-- Whether somebody came by a grant that does not reach them any more, and has nothing else here.
CREATE OR REPLACE FUNCTION grant_lost(wanted uuid, somebody uuid) RETURNS boolean LANGUAGE sql STABLE
AS $$ SELECT (NOT contract_reaches_person(wanted, somebody) OR EXISTS (
    SELECT FROM membership m WHERE m.person_id = somebody AND m.grant_id = wanted
    AND NOT grant_reaches(wanted, m.section_id)))
  AND NOT EXISTS (SELECT FROM membership m WHERE m.person_id = somebody AND m.ended_at IS NULL
    AND (m.grant_id <> wanted OR grant_reaches(wanted, m.section_id))) $$;
