begin;
select plan(5);

select throws_ok(
  format(
    'insert into api.problem (raised_by, status, code, title, detail, field, field_code) values (''x'', %s)',
    c.row_values
  ),
  '23514',
  format('new row for relation "problem" violates check constraint "%s"', c.name)
)
from (values
  ('200, ''ok'', '''', '''', null, null', 'problem_status_is_an_error'),
  ('600, ''ok'', '''', '''', null, null', 'problem_status_is_an_error'),
  ('400, ''Not ok'', '''', '''', null, null', 'problem_code_is_name'),
  ('400, ''ok'', '''', '''', ''field'', null', 'problem_field_has_a_code'),
  ('400, ''ok'', '''', '''', null, ''code''', 'problem_field_has_a_code')
) as c (row_values, name);

select * from finish();
rollback;
