-- The population of a grant: everybody, or whoever is in some of its sections. It only narrows (design 2).
-- {role} is the application role of this database.

ALTER TABLE grants ADD COLUMN narrowed boolean NOT NULL DEFAULT false;

-- The sections that a narrowed grant reaches; a section of a divided course is reached with its course, too.
CREATE TABLE grant_section (
  district_id uuid NOT NULL REFERENCES district (id),
  grant_id uuid NOT NULL REFERENCES grants (id),
  section_id uuid NOT NULL REFERENCES section (id),
  CONSTRAINT pk_grant_section PRIMARY KEY (grant_id, section_id)
);
CREATE INDEX ix_grant_section_section_id ON grant_section (section_id);
ALTER TABLE grant_section ENABLE ROW LEVEL SECURITY;
ALTER TABLE grant_section FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON grant_section USING (district_id = current_district()) WITH CHECK (district_id = current_district());
GRANT SELECT, INSERT, DELETE ON grant_section TO {role};

CREATE FUNCTION grant_reaches(wanted uuid, in_section uuid) RETURNS boolean LANGUAGE sql STABLE
AS $$ SELECT NOT EXISTS (SELECT FROM grants WHERE id = wanted AND narrowed) OR EXISTS (
  SELECT FROM section s JOIN grant_section p ON p.section_id IN (s.id, s.course_section_id)
  WHERE s.id = in_section AND p.grant_id = wanted) $$;

-- Held against every role: what was narrowed is never wide again, and each narrowing takes the next epoch.
CREATE FUNCTION grant_narrows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.narrowed AND NOT NEW.narrowed THEN
    RAISE EXCEPTION 'a grant that was narrowed stays so' USING ERRCODE = 'LG002';
  END IF;
  IF NEW.narrowed <> OLD.narrowed AND NEW.epoch = OLD.epoch THEN
    RAISE EXCEPTION 'a narrowing takes the next epoch' USING ERRCODE = 'LG002';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER grant_narrows BEFORE UPDATE ON grants FOR EACH ROW EXECUTE FUNCTION grant_narrows();
ALTER TABLE grants ENABLE ALWAYS TRIGGER grant_narrows;

CREATE FUNCTION grant_never_widens() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' OR EXISTS (SELECT FROM grants WHERE id = NEW.grant_id AND narrowed) THEN
    RAISE EXCEPTION 'the population of a grant only narrows' USING ERRCODE = 'LG002';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER grant_never_widens BEFORE INSERT OR UPDATE ON grant_section
  FOR EACH ROW EXECUTE FUNCTION grant_never_widens();
ALTER TABLE grant_section ENABLE ALWAYS TRIGGER grant_never_widens;

-- Nobody outside comes in by it, whatever a launch or a list says: no code path can forget it.
CREATE FUNCTION grant_must_reach() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE inside boolean;
BEGIN
  IF TG_TABLE_NAME = 'membership' THEN
    inside := grant_reaches(NEW.grant_id, NEW.section_id);
  ELSE
    -- A section that stands here already may be brought up to date; a new one only within a course that is reached.
    inside := NOT EXISTS (SELECT FROM grants WHERE id = NEW.grant_id AND narrowed)
      OR grant_reaches(NEW.grant_id, NEW.course_section_id)
      OR EXISTS (SELECT FROM section s WHERE s.grant_id = NEW.grant_id AND s.source_scope = NEW.source_scope
        AND s.source_id = NEW.source_id AND grant_reaches(NEW.grant_id, s.id));
  END IF;
  IF NOT inside THEN
    RAISE EXCEPTION 'the grant does not reach this section' USING ERRCODE = 'LG001';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER grant_must_reach BEFORE INSERT ON membership FOR EACH ROW EXECUTE FUNCTION grant_must_reach();
CREATE TRIGGER grant_must_reach BEFORE INSERT ON section FOR EACH ROW EXECUTE FUNCTION grant_must_reach();

-- Whether somebody was in sections alone that a narrowed grant does not reach any more, and has nothing else here.
CREATE FUNCTION grant_lost(wanted uuid, somebody uuid) RETURNS boolean LANGUAGE sql STABLE
AS $$ SELECT EXISTS (SELECT FROM membership m WHERE m.person_id = somebody AND m.grant_id = wanted
    AND NOT grant_reaches(wanted, m.section_id))
  AND NOT EXISTS (SELECT FROM membership m WHERE m.person_id = somebody AND m.ended_at IS NULL
    AND (m.grant_id <> wanted OR grant_reaches(wanted, m.section_id))) $$;
