begin;
select plan(3);

-- app.lead_faults and the table's constraints judge each value.
create function test.is_refused_by_table(field text, value text)
returns boolean
language plpgsql
as $$
begin
  execute format(
    'insert into app.lead (organization_id, company, name, %I) values ($1, $2, $2, $3)',
    is_refused_by_table.field
  ) using test.organization('alice'), 'Acme', is_refused_by_table.value;
  return false;
exception
  when check_violation or foreign_key_violation then
    return true;
end
$$;
create table test.judged as
select
  f.field,
  c.value,
  app.lead_faults(organization('alice'), jsonb_build_object(f.field, c.value)) is not null as by_function,
  is_refused_by_table(f.field, c.value) as by_table
from (values
  ('email'), ('source'), ('pipeline_stage'), ('industry'), ('company_size'), ('pain_points'), ('timeline'),
  ('budget_range'),
  ('ai_reasoning')
) as f (field)
cross join (values
  ('won'), ('lukewarm'), ('ada@example.com'), ('ada@'), (''), (repeat('a', 64)), (repeat('a', 65)), (repeat('a', 128)),
  (repeat('a', 129)),
  (repeat('a', 255)), (repeat('a', 256)), (repeat('a', 10000)), (repeat('a', 10001)), (U&'\00E4'), ('two words'),
  (repeat('a', 64) || '@example.com'), (repeat('a', 65) || '@example.com')
) as c (value);

select is_empty(
  'select j.field, left(j.value, 20), length(j.value) from test.judged as j where j.by_function <> j.by_table',
  'both agree'
);
select is((select count(*) from test.judged as j where j.by_table), 73::bigint, 'values that are refused');
select is((select count(*) from test.judged as j where not j.by_table), 80::bigint, 'values that are accepted');

select * from finish();
rollback;
