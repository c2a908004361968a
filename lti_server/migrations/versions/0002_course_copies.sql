-- Which course of an LMS was copied from which, as its notices and launches say.

-- One row a pair of courses of one deployment; `position` 0 is the course that was copied last.
-- Ids of courses, and nothing about a person.
CREATE TABLE course_copy (
  district_id uuid NOT NULL REFERENCES district (id),
  deployment_row_id uuid NOT NULL REFERENCES deployment (id),
  context_id text NOT NULL,
  origin_context_id text NOT NULL,
  position integer NOT NULL,
  recorded_at timestamptz NOT NULL,
  CONSTRAINT pk_course_copy PRIMARY KEY (deployment_row_id, context_id, origin_context_id)
);
ALTER TABLE course_copy ENABLE ROW LEVEL SECURITY;
ALTER TABLE course_copy FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON course_copy USING (district_id = current_district()) WITH CHECK (district_id = current_district());
GRANT SELECT, INSERT, UPDATE, DELETE ON course_copy TO {role};

-- The link that a link was copied from: its settings are the same, and no pupil's work is.
ALTER TABLE resource_link ADD COLUMN copied_from_id uuid REFERENCES resource_link (id);
