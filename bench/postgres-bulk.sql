-- A flush as psql does it: psql -f postgres-bulk.sql < rows.csv
-- Lines of rows.csv: student_id,course_id,grade,grade_stamp; one a key.
BEGIN;
CREATE TEMPORARY TABLE incoming (student_id text, course_id text, grade text, grade_stamp text) ON COMMIT DROP;
\copy incoming FROM pstdin CSV
INSERT INTO student_course_grades AS t (student_id, course_id, grade, grade_stamp)
SELECT student_id, course_id, grade, grade_stamp FROM incoming
ON CONFLICT (student_id, course_id) DO UPDATE
  SET grade = excluded.grade, grade_stamp = excluded.grade_stamp
  WHERE excluded.grade_stamp > coalesce(greatest(t.grade_stamp, t.deleted_stamp), '');
COMMIT;
